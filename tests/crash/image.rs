//! What a disk may hold after the power failed: all that was synced, and of the rest any part.

use crate::system::Event;
use std::collections::BTreeMap;
use std::path::Path;

/// Disks write whole sectors.
const SECTOR: usize = 512;

/// A stream of numbers that is the same in every run (`SplitMix64`).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[derive(Default, Clone)]
struct Disk<'a> {
    synced: Option<Vec<u8>>,
    pending: Vec<&'a Event>,
    /// Whether the name was given since the folder was synced: until then what was there `before` may be there.
    is_new: bool,
    before: Option<Vec<u8>>,
}

impl Disk<'_> {
    fn forget_removed(&mut self) {
        if let Some(last) = self.pending.iter().rposition(|event| matches!(event, Event::Remove { .. })) {
            self.pending.drain(..=last);
            self.synced = None;
        }
    }
}

/// How many steps the script was told were done, within these events.
pub fn done(events: &[Event]) -> usize {
    events.iter().rev().find_map(|event| if let Event::Done(steps) = event { Some(*steps) } else { None }).unwrap_or(0)
}

/// Writes to a folder what may be left after exactly these events.
pub fn write(events: &[Event], folder: &Path, dice: &mut Dice) {
    let mut disks: BTreeMap<&str, Disk<'_>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Done(_) => {}
            // What was removed before the folder was synced is gone for good.
            Event::Sync { file } if file.is_empty() => disks.values_mut().for_each(|disk| {
                disk.forget_removed();
                disk.is_new = false;
            }),
            Event::Name { file, new, keeps_old } => {
                let named = disks.get(file.as_str()).cloned().unwrap_or_default();
                let old = disks.insert(new, named).and_then(|old| old.synced);
                if let Some(disk) = disks.get_mut(new.as_str()) {
                    (disk.is_new, disk.before) = (true, old);
                }
                if !keeps_old {
                    // Its old name may come back, with what it has by then.
                    disks.remove(file.as_str());
                }
            }
            Event::Sync { file } => {
                let disk = disks.entry(file).or_default();
                for event in std::mem::take(&mut disk.pending) {
                    apply(&mut disk.synced, event, None);
                }
                // A sync of a new file keeps its name as well.
                disk.synced.get_or_insert_default();
            }
            Event::Write { file, .. } | Event::Cut { file, .. } | Event::Remove { file } => {
                disks.entry(file).or_default().pending.push(event);
            }
        }
    }
    // Most often nothing or all of what was not synced is there; else any part of it.
    let habit = dice.below(4);
    for (file, mut disk) in disks {
        for event in std::mem::take(&mut disk.pending) {
            match habit {
                0 => {}
                1 => apply(&mut disk.synced, event, None),
                _ => match dice.below(3) {
                    0 => {}
                    1 => apply(&mut disk.synced, event, None),
                    _ => apply(&mut disk.synced, event, Some(dice)),
                },
            }
        }
        if disk.is_new && dice.below(2) == 0 {
            disk.synced = disk.before.take();
        }
        if let Some(content) = disk.synced {
            std::fs::write(folder.join(file), content).unwrap();
        }
    }
}

/// Does to a file what was done; a write only in some of its sectors, where there are dice.
fn apply(content: &mut Option<Vec<u8>>, event: &Event, mut torn: Option<&mut Dice>) {
    match event {
        Event::Write { at, bytes, .. } => {
            let content = content.get_or_insert_default();
            let end = *at as usize + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            let mut from = 0;
            while from < bytes.len() {
                let place = *at as usize + from;
                let length = (SECTOR - place % SECTOR).min(bytes.len() - from);
                if torn.as_mut().is_none_or(|dice| dice.below(2) == 0) {
                    content[place..place + length].copy_from_slice(&bytes[from..from + length]);
                }
                from += length;
            }
        }
        Event::Cut { length, .. } => content.get_or_insert_default().resize(*length as usize, 0),
        Event::Remove { .. } => *content = None,
        Event::Sync { .. } | Event::Name { .. } | Event::Done(_) => {}
    }
}
