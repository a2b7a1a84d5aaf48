"""The reports that programs read, and the one for a CI summary."""

from __future__ import annotations

import json
from xml.etree import ElementTree as Xml

from headrace.loadtest.report.terminal import columns, rows
from headrace.loadtest.verdict import SuiteResult

SCHEMA_VERSION = 1


def json_text(result: SuiteResult) -> str:
    """The whole result; its schema is `report.schema.json` beside this file."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "suite": result.suite,
            "target": result.target,
            "ready": result.ready,
            "exit_code": result.exit_code,
            "problems": result.problems,
            "resumed": result.resumed,
            "started": result.started,
            "seconds": round(result.seconds, 3),
            "environment": result.environment,
            "scenarios": [
                {
                    "name": scenario.name,
                    "title": scenario.title,
                    "rounds": scenario.rounds,
                    "void": scenario.void,
                    "seconds": round(scenario.seconds, 3),
                    "error": scenario.error,
                    "errors": scenario.errors,
                    "notes": scenario.notes,
                    "target_process": scenario.target_process,
                    "groups": scenario.groups,
                    "results": [row.to_json() for row in scenario.results],
                }
                for scenario in result.scenarios
            ],
        },
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
    )


def junit_xml(result: SuiteResult) -> str:
    """JUnit's XML: a test suite a scenario, a test case a criterion."""
    root = Xml.Element("testsuites", name=f"headrace {result.suite}", time=f"{result.seconds:.3f}")
    for scenario in result.scenarios:
        failed = [r for r in scenario.results if r.holds_up]
        suite = Xml.SubElement(
            root,
            "testsuite",
            name=scenario.name,
            tests=str(len(scenario.results)),
            failures=str(len(failed)),
            errors=str(int(bool(scenario.error))),
            time=f"{scenario.seconds:.3f}",
        )
        for row in scenario.results:
            case = Xml.SubElement(suite, "testcase", classname=scenario.name, name=row.criterion.name)
            if row.holds_up:
                Xml.SubElement(case, "failure", message=row.decision.why, type=row.decision.outcome)
            elif row.decision.outcome != "met":
                Xml.SubElement(case, "skipped", message=f"{row.criterion.tier}: {row.decision.why}")
        if scenario.error:
            case = Xml.SubElement(suite, "testcase", classname=scenario.name, name=scenario.title)
            Xml.SubElement(case, "error", message=scenario.error)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True)


def markdown(result: SuiteResult) -> str:
    """A summary for a pull request or a job: the verdict, what speaks against it, the table."""
    verdict = "✅ **Ready for production**" if result.ready else "❌ **Not ready for production**"
    lines = [f"## {verdict}", "", f"{result.suite} suite against {result.target}, {result.seconds:.0f} s", ""]
    lines += [f"- {problem}" for problem in result.problems]
    heads = columns(result)
    lines += ["", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows(result)]
    remarks = [f"- {remark}" for scenario in result.scenarios for remark in scenario.remarks]
    lines += ["", *remarks] if remarks else []
    return "\n".join(lines) + "\n"
