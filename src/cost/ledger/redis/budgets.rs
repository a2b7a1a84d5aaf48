//! Budgets are set, removed and looked at.

use super::known::{definition, identity, money, part_of, start};
use super::{BUDGET, BUSY, LedgerPlace, PATIENCE, PATIENCE_OF_A_BUDGET, strange};
use crate::cost::attribution::Attribution;
use crate::cost::budget::{Budget, BudgetStatus, Taken};
use crate::cost::ledger::filter::Filter;
use crate::cost::money::Money;
use crate::cost::record::CostRecord;
use crate::store::redis::{Arguments, int_of, list_of, text_of, unescaped};
use crate::{Error, Result};
use redis::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// For how long nothing is booked, at most, while a new budget counts the last records: whoever counts may have died.
const COUNTING: Duration = Duration::from_secs(5);

/// A version that no other is like.
fn fresh() -> String {
    format!("{:x}", rand::random::<u64>())
}

/// What the ledger holds for a new budget, by part.
struct Counted<'a> {
    budget: &'a Budget,
    filter: Filter,
    /// The last record that was looked at.
    last: u64,
    spent: BTreeMap<(String, String), Money>,
}

impl Counted<'_> {
    fn count(&mut self, record: &CostRecord) {
        self.last = record.id;
        let (card, who) = (&record.card, &record.attribution);
        if self.filter.holds(record.time) && self.filter.covers(&card.provider, &card.model, who) {
            let part = (part_of(self.budget, who).into_owned(), start(self.budget.bucket(record.time)));
            *self.spent.entry(part).or_default() += record.cost();
        }
    }
}

impl LedgerPlace {
    async fn ask_of_budgets(&self, arguments: &Arguments) -> Result<(String, Vec<Value>)> {
        let reply = self.run(&BUDGET, arguments, PATIENCE).await?;
        let Some((verdict, rest)) = list_of(&reply)?.split_first() else { return Err(strange()) };
        Ok((text_of(verdict)?.to_owned(), rest.to_vec()))
    }

    /// Sets a budget; a new one starts with what the ledger already holds for it.
    pub(super) async fn set_budget(&self, budget: &Budget, now: i64) -> Result<()> {
        let (identity, definition) = (identity(budget)?, definition(budget)?);
        let set = self.at(now).text("set").text(&identity).text(&definition).text(fresh());
        if self.ask_of_budgets(&set).await?.0 == "ok" {
            return Ok(());
        }
        let filter = Filter { since: Some(budget.kept(now)), until: None, scope: budget.scope.clone() };
        let mut counted = Counted { budget, filter, last: 0, spent: BTreeMap::new() };
        // Most of it is read while calls go on, the last of it while they wait.
        self.count_up_to(None, &mut counted).await?;
        let (started, token) = (Instant::now(), fresh());
        loop {
            let begin = self.at(now).text("begin").text(&token).int(COUNTING.as_micros());
            let (verdict, rest) = self.ask_of_budgets(&begin).await?;
            if verdict == "ok" {
                let [newest, holds] = &rest[..] else { return Err(strange()) };
                let newest = u64::try_from(int_of(newest)?).map_err(|_| strange())?;
                self.count_up_to(Some(newest), &mut counted).await?;
                let install = self.at(now).text("install").text(&token).text(&identity).text(&definition).text(fresh());
                let install = running(budget, holds, amounts(&counted, install))?;
                if self.ask_of_budgets(&install).await?.0 == "ok" {
                    return Ok(());
                }
            }
            if started.elapsed() > PATIENCE_OF_A_BUDGET {
                break;
            }
            tokio::time::sleep(BUSY).await;
        }
        Err(Error::Store(format!(
            "the budget was not set within {} s: others set budgets all the time, or the ledger is read too slowly; try again",
            PATIENCE_OF_A_BUDGET.as_secs()
        )))
    }

    async fn count_up_to(&self, newest: Option<u64>, counted: &mut Counted<'_>) -> Result<()> {
        loop {
            let batch = self.batch((counted.last + 1, newest), false).await?;
            for record in &batch.records {
                counted.count(record);
            }
            if !batch.is_full {
                return Ok(());
            }
        }
    }

    /// Removes the budget of that identity; whether there was one.
    pub(super) async fn remove_budget(&self, budget: &Budget) -> Result<bool> {
        let arguments = Arguments::default().text("").text("remove").text(identity(budget)?).text(fresh());
        let (_, rest) = self.ask_of_budgets(&arguments).await?;
        rest.first().map_or(Err(strange()), |found| Ok(int_of(found)? == 1))
    }

    /// Every budget and how much of it is gone.
    pub(super) async fn status(&self, now: i64) -> Result<Vec<BudgetStatus>> {
        self.after_returns().await;
        let (known, _, rest) = self
            .decide(&BUDGET, PATIENCE, |known| known.for_status(now, self.at(now).text("status").text(&known.version)))
            .await?;
        let [all] = &rest[..] else { return Err(strange()) };
        let mut found = Vec::new();
        for ((_, budget), parts) in known.budgets.iter().zip(list_of(all)?) {
            let status = |tenant, taken| BudgetStatus { budget: budget.clone(), tenant, taken };
            if budget.scope.is_each_tenant() {
                found.push(status(None, Taken::default()));
            }
            for [tenant, spent, reserved] in list_of(parts)?.as_chunks::<3>().0 {
                let taken = Taken { spent: money(spent)?, reserved: money(reserved)? };
                if !budget.scope.is_each_tenant() {
                    found.push(status(None, taken));
                } else if taken != Taken::default() {
                    found.push(status(Some(unescaped(text_of(tenant)?).into_owned()), taken));
                }
            }
        }
        Ok(found)
    }
}

fn amounts(counted: &Counted<'_>, arguments: Arguments) -> Arguments {
    let arguments = arguments.int(counted.spent.len());
    counted.spent.iter().fold(arguments, |arguments, ((tenant, start), amount)| {
        arguments.text(tenant).text(start).int(amount.attodollars())
    })
}

/// The calls that run and that a new budget covers.
fn running(budget: &Budget, holds: &Value, mut arguments: Arguments) -> Result<Arguments> {
    for hold in list_of(holds)? {
        let [number, time, provider, model, tenant, tags] = list_of(hold)? else { return Err(strange()) };
        let tags: Vec<String> = serde_json::from_str(text_of(tags)?).map_err(|_| strange())?;
        let who = Attribution::new(text_of(tenant)?, tags)?;
        if budget.scope.covers(text_of(provider)?, text_of(model)?, &who) {
            let start = start(budget.bucket(int_of(time)?));
            arguments = arguments.text(text_of(number)?).text(part_of(budget, &who)).text(start);
        }
    }
    Ok(arguments)
}
