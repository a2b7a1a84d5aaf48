"""Datapoints of the European Sustainability Reporting Standards out of a report, into a typed table.

The report is invented (`data/nordwind_2024.md`). A stand-in answers offline; HEADRACE_MODEL asks a model.
Needs pydantic.
"""

import csv
import sys
from pathlib import Path

from pydantic import BaseModel, Field
from stand_in import client_and_model

REPORT = (Path(__file__).parent / "data" / "nordwind_2024.md").read_text(encoding="utf-8")


class Climate(BaseModel):
    """ESRS E1: what the report must say; None where it does not."""

    e1_6_scope_1: float | None = Field(description="gross Scope 1 greenhouse gas emissions in 2024, tCO2e")
    e1_6_scope_2_location: float | None = Field(description="gross location-based Scope 2 emissions in 2024, tCO2e")
    e1_6_scope_3: float | None = Field(description="gross Scope 3 emissions in 2024, tCO2e")
    e1_5_energy: float | None = Field(description="total energy consumption, MWh")


class Workforce(BaseModel):
    """ESRS S1."""

    s1_6_employees: float | None = Field(description="employees at the end of 2024")
    s1_16_pay_gap: float | None = Field(description="gender pay gap, %")


UNITS = {"e1_5": "MWh", "e1_6": "tCO2e", "s1_6": "persons", "s1_16": "%"}
ASK = "Fill in the datapoints from the report. Leave out what it does not say."

with client_and_model() as (client, model):
    table = csv.writer(sys.stdout)
    table.writerow(["datapoint", "value", "unit", "cost of the call in USD"])
    for form in (Climate, Workforce):
        reply = client.chat(
            model,
            [{"role": "system", "content": REPORT}, {"role": "user", "content": ASK}],
            response_format=form,
            temperature=0,
        )
        if reply.parsed is None:
            raise SystemExit(f"the answer is not of the form that was asked for: {reply.text}")
        for name, value in reply.parsed.model_dump().items():
            disclosure = "_".join(name.split("_")[:2])
            table.writerow([name, value, UNITS[disclosure], reply.cost])
