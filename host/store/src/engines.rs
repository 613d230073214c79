//! The files of a store together: their locks are taken in one order, and what was written into several of them is
//! committed whole or not at all.

use std::collections::BTreeMap;

use cavra_model::Kind;

use crate::StoreError;
use crate::engine::{Backend, Begun, Engine};
use crate::journal;
use crate::overlay::{Changes, Overlay};
use crate::place::{Layout, Location};

/// Why a unit of work has to be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// Another process is writing into a file it needs.
    Busy,
    /// It needs this file, which has to be locked before those that are locked already.
    Order(usize),
}

/// Whether a file may be written in this batch.
enum Hold {
    /// Nobody has asked.
    Free,
    /// It is ours until the commit.
    Held,
    /// It is not to be had.
    Refused(Option<StoreError>),
}

/// The files of a store, for the one thread that writes.
pub(crate) struct Engines {
    pub(crate) layout: Layout,
    engines: Vec<Engine>,
    locations: Vec<Location>,
    holds: Vec<Hold>,
    blocked: Option<Blocked>,
}

impl Engines {
    pub(crate) fn new(layout: Layout, engines: Vec<Engine>, locations: Vec<Location>) -> Self {
        let holds = engines.iter().map(|_| Hold::Free).collect();
        Self { layout, engines, locations, holds, blocked: None }
    }

    /// A file that is written into; locked on the first call in a batch.
    pub(crate) fn at(&mut self, index: usize) -> Result<&mut (dyn Backend + 'static), StoreError> {
        let later_is_held = self.holds.iter().skip(index + 1).any(|hold| matches!(hold, Hold::Held));
        match self.holds.get(index) {
            Some(Hold::Held) => {}
            Some(Hold::Refused(Some(error))) => return Err(error.clone()),
            Some(Hold::Refused(None)) => return Err(self.block(Blocked::Busy)),
            Some(Hold::Free) if later_is_held => return Err(self.block(Blocked::Order(index))),
            _ => {
                let begun = self.begin(index);
                let (hold, answer) = match begun {
                    Ok(Begun::Yes) => (Hold::Held, Ok(())),
                    Ok(Begun::Busy) | Err(StoreError::Conflict) => {
                        (Hold::Refused(None), Err(self.block(Blocked::Busy)))
                    }
                    Err(error) => (Hold::Refused(Some(error.clone())), Err(error)),
                };
                if let Some(place) = self.holds.get_mut(index) {
                    *place = hold;
                }
                answer?;
            }
        }
        self.backend(index)
    }

    fn block(&mut self, blocked: Blocked) -> StoreError {
        self.blocked.get_or_insert(blocked);
        StoreError::Conflict
    }

    /// Why what was just tried has to be tried again.
    pub(crate) fn take_blocked(&mut self) -> Option<Blocked> {
        self.blocked.take()
    }

    /// Locks a file; what a unit of work that was interrupted has not written into it yet is written first.
    fn begin(&mut self, index: usize) -> Result<Begun, StoreError> {
        if self.backend(index)?.begin()? == Begun::Busy {
            return Ok(Begun::Busy);
        }
        match self.settle(index) {
            Ok(true) => self.backend(index)?.begin(),
            Ok(false) => Ok(Begun::Yes),
            Err(error) => {
                self.backend(index)?.abort();
                Err(error)
            }
        }
    }

    /// Writes what an interrupted unit of work has left to be written into a locked file; answers whether there was
    /// something, and the lock was given back.
    fn settle(&mut self, index: usize) -> Result<bool, StoreError> {
        let Some(pointer) = self.backend(index)?.property(journal::POINTER)? else { return Ok(false) };
        let Some(own) = self.locations.get(index).cloned() else { return Ok(false) };
        let Some(entry) = self.entry_for(index, &own, &pointer)? else { return Ok(false) };
        let backend = self.backend(index)?;
        let applied = backend.property(journal::APPLIED)?.unwrap_or_default();
        let mut sizes = BTreeMap::new();
        for (area, _) in entry.logs() {
            sizes
                .insert(area.to_owned(), area_of(&self.layout, area).map_or(Ok(0), |area| self.log_size(index, area))?);
        }
        if !entry.is_due(&applied, &sizes) {
            return Ok(false);
        }
        let overlay = entry.overlay(&self.layout, index)?;
        let mut parts = overlay.parts();
        let changes = parts.remove(&index).unwrap_or_default();
        self.backend(index)?.commit(&changes)?;
        metrics::counter!("cavra_store_units_finished_total").increment(1);
        tracing::warn!(store = %own, unit = entry.unit, "a unit of work that was interrupted has been finished");
        Ok(true)
    }

    fn log_size(&mut self, index: usize, area: &'static str) -> Result<u64, StoreError> {
        self.backend(index)?.log_size(area)
    }

    /// The unit of work that was made durable last, elsewhere, for a file.
    fn entry_for(&mut self, index: usize, own: &Location, pointer: &str) -> Result<Option<journal::Entry>, StoreError> {
        let Some(id) = self.backend(index)?.property(journal::STORE_ID)? else { return Ok(None) };
        let Some(lead) = journal::resolve(own, pointer) else { return Ok(None) };
        let known = self.locations.iter().position(|location| journal::same(location, &lead));
        let name = journal::entry_name(&id);
        let text = match known.and_then(|known| self.engines.get(known)) {
            Some(engine) => engine.reader.property(&name)?,
            None => crate::store::reader_of(&lead)?.property(&name)?,
        };
        text.map(|text| journal::Entry::parse(own, &text)).transpose()
    }

    /// Commits what is pending. `Err` means that nothing of it was or will be.
    pub(crate) fn commit(&mut self, overlay: &Overlay) -> Result<(), StoreError> {
        let mut parts = overlay.parts();
        let committed = match parts.pop_first() {
            None => Ok(()),
            Some((only, changes)) if parts.is_empty() => self.commit_at(only, &changes),
            Some((lead, changes)) => self.span(lead, changes, &parts),
        };
        self.abort();
        committed
    }

    fn commit_at(&mut self, index: usize, changes: &Changes<'_>) -> Result<(), StoreError> {
        if let Some(hold) = self.holds.get_mut(index) {
            *hold = Hold::Free;
        }
        self.backend(index)?.commit(changes)
    }

    /// Commits into several files. The commit into the first one holds what has to be written into the others too: with
    /// it the unit stands, and what is not written then is written when such a file is locked the next time.
    fn span(
        &mut self,
        lead: usize,
        changes: Changes<'_>,
        others: &BTreeMap<usize, Changes<'_>>,
    ) -> Result<(), StoreError> {
        let unit = journal::new_unit()?;
        let mut entries = Vec::with_capacity(others.len());
        for (other, part) in others {
            let id = self.introduce(*other, lead)?;
            let backend = self.backend(*other)?;
            let after = backend.property(journal::APPLIED)?.unwrap_or_default();
            let mut sizes = Vec::new();
            for area in part.logs() {
                sizes.push((area, backend.log_size(area)?));
            }
            let entry = journal::Entry::of(&unit, after, part, &sizes);
            entries.push((journal::entry_name(&id), entry.text()?));
        }
        let mut changes: Changes<'_> = changes;
        changes.properties.extend(entries.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        self.commit_at(lead, &changes)?;
        for (other, part) in others {
            let mut part = Changes {
                records: part.records.clone(),
                leaves: part.leaves.clone(),
                properties: part.properties.clone(),
            };
            part.properties.push((journal::APPLIED, &unit));
            if let Err(error) = self.commit_at(*other, &part) {
                metrics::counter!("cavra_store_units_unfinished_total").increment(1);
                tracing::error!(error = &error as &dyn std::error::Error, unit, "a unit of work is finished later");
            }
        }
        Ok(())
    }

    /// Lets a locked file know where the units are made durable that span it and `lead`; answers its id.
    fn introduce(&mut self, index: usize, lead: usize) -> Result<String, StoreError> {
        let pointer = match (self.locations.get(index), self.locations.get(lead)) {
            (Some(own), Some(lead)) => journal::pointer(own, lead),
            _ => return Err(StoreError::Closed),
        };
        let backend = self.backend(index)?;
        let id = backend.property(journal::STORE_ID)?;
        if let Some(id) = &id
            && backend.property(journal::POINTER)?.as_ref() == Some(&pointer)
        {
            return Ok(id.clone());
        }
        let id = id.map_or_else(journal::new_unit, Ok)?;
        let properties = vec![(journal::STORE_ID, id.as_str()), (journal::POINTER, pointer.as_str())];
        self.commit_at(index, &Changes { properties, ..Changes::default() })?;
        // The lock was given back, so what was read may be different now.
        Err(StoreError::Conflict)
    }

    /// Gives back all locks; nothing that was not committed stays.
    pub(crate) fn abort(&mut self) {
        for (hold, engine) in self.holds.iter_mut().zip(&mut self.engines) {
            if matches!(hold, Hold::Held) {
                engine.backend.abort();
            }
            *hold = Hold::Free;
        }
        self.blocked = None;
    }

    /// Finishes what was interrupted, in every file that there is.
    pub(crate) fn recover(&mut self) -> Result<(), StoreError> {
        for index in 0..self.engines.len() {
            let has_pointer = match self.engines.get(index) {
                Some(engine) => engine.reader.property(journal::POINTER)?.is_some(),
                None => false,
            };
            if has_pointer {
                // Whoever is writing there now has finished it.
                let _ = self.begin(index)?;
                self.backend(index)?.abort();
            }
        }
        Ok(())
    }

    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut (dyn Backend + 'static)> {
        self.engines.iter_mut().map(|engine| engine.backend.as_mut())
    }

    /// What the files are called in messages.
    pub(crate) fn names(&self) -> String {
        self.engines.iter().map(|engine| engine.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn backend(&mut self, index: usize) -> Result<&mut (dyn Backend + 'static), StoreError> {
        self.engines.get_mut(index).map(|engine| engine.backend.as_mut()).ok_or(StoreError::Closed)
    }
}

/// The area of that name.
fn area_of(layout: &Layout, name: &str) -> Option<&'static str> {
    layout.kind(name).map(|kind: &'static Kind| kind.table)
}
