//! A queue with requests in every state.

use crate::{Facts, START, url};
use headrace::clock::ManualClock;
use headrace::queue::{Lease, Priority, PutOptions, QueueConfig, RequestId, RequestQueue, Status};
use headrace::{Error, Payload, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How what was lost is told.
pub const LOST: &str = "dead: damaged on disk";
const REQUESTS: u64 = 24;

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn take(queue: &RequestQueue) -> Result<Option<Lease>> {
    match wait(queue.get_async(Some(Duration::ZERO))) {
        Err(Error::Timeout(_)) => Ok(None),
        taken => taken.map(Some),
    }
}

fn open(file: &Path, at: Duration) -> Result<RequestQueue> {
    let config = QueueConfig { keep_results: Duration::from_hours(24), ..QueueConfig::default() };
    RequestQueue::open_with_clock(&url(file), config, Arc::new(ManualClock::new(at)))
}

fn key(number: u64) -> Option<Arc<str>> {
    number.is_multiple_of(3).then(|| Arc::from(format!("key {number}")))
}

pub fn make(file: &Path) {
    let queue = open(file, START).unwrap();
    let hour = Duration::from_hours(1);
    let most = |from: u64| PutOptions {
        priority: Priority::ALL[(from % 4) as usize],
        tenant: Some(Arc::from(format!("tenant {}", from % 3))),
        key: key(from),
        delay: if from % 5 == 4 { Duration::from_mins(5) } else { Duration::ZERO },
        deadline: (from % 7 == 6).then_some(hour * 9),
        ..PutOptions::default()
    };
    for number in 1..=REQUESTS {
        let payload = Payload::bytes(format!("request {number}").repeat(20));
        wait(queue.put_async(payload, most(number), None)).unwrap();
    }
    for turn in 0..10 {
        let lease = take(&queue).unwrap().unwrap();
        match turn {
            0..3 => {
                let result = Payload::bytes(format!("result of {}", lease.id().0));
                wait(lease.ack_async(Some(result), None)).unwrap();
            }
            3..5 => wait(lease.nack_async("it cannot be done", None, false)).unwrap(),
            5..7 => {
                wait(lease.nack_async("not now", Some(Duration::from_secs(30)), true)).unwrap();
            }
            // A worker that vanished.
            _ => lease.accept(),
        }
    }
    wait(queue.set_paused_async(true)).unwrap();
    queue.close();
    drop(queue);
    assert!(headrace::store::sqlite::close_all(Duration::from_mins(1)));
}

pub fn look(file: &Path) -> Result<Facts> {
    let queue = open(file, START + Duration::from_mins(10))?;
    let mut facts = Facts::new();
    facts.insert("pause".into(), queue.stats()?.paused.to_string());
    wait(queue.set_paused_async(false))?;
    let dead = queue.dead()?;
    for id in (1..=REQUESTS).map(RequestId) {
        let about = format!("request {}", id.0);
        let status = match queue.status(id) {
            Err(Error::InvalidArgument(_)) => continue,
            status => status?,
        };
        let said = match status {
            Status::Dead => {
                let letter = dead.iter().find(|letter| letter.id == id);
                let letter = letter.ok_or_else(|| Error::Store("a dead request without a letter".into()))?;
                format!("dead: {}; {:?} {} {:?}", letter.reason, letter.priority, letter.tenant, letter.payload)
            }
            Status::Done => match wait(queue.result_async(id, Some(Duration::ZERO))) {
                Err(Error::RequestFailed(why)) if why.contains("damaged on disk") => format!("{LOST}, of its result"),
                result => format!("done: {:?}", result?),
            },
            open => format!("{open:?}"),
        };
        facts.insert(about, said);
    }
    // In which order they come is told by the one before, among those that are whole.
    while let Some(lease) = take(&queue)? {
        let (id, text) = (lease.id().0, lease.payload().as_bytes().to_vec());
        let what = (lease.attempt(), lease.priority(), lease.tenant(), lease.enqueued_at(), text);
        wait(lease.ack_async(None, None))?;
        facts.insert(format!("delivery of {id}"), format!("{what:?}"));
    }
    for number in 1..=REQUESTS {
        let about = format!("delivery of {number}");
        // Met only when it is read.
        if !facts.contains_key(&about)
            && queue.dead()?.iter().any(|letter| letter.id.0 == number && letter.reason.starts_with("damaged on disk"))
        {
            facts.insert(format!("request {number}"), LOST.into());
            facts.insert(about, LOST.into());
        }
        if let Some(key) = key(number) {
            let options = PutOptions { key: Some(key), ..PutOptions::default() };
            let found = wait(queue.put_async(Payload::bytes("again"), options, None))?.0;
            let is_lost = facts.get(&format!("request {number}")).is_some_and(|said| said.starts_with(LOST));
            facts.insert(format!("key {number}"), if is_lost { LOST.into() } else { found.to_string() });
        }
    }
    Ok(facts)
}
