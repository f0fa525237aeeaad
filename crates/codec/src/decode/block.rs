//! The block that is being read: the fields between two blank lines.
//!
//! While a block lies within one chunk, its name and its data are slices of the chunk
//! ([`Part::Here`]). When the chunk ends, or when data must be joined, they move to buffers that
//! outlive the chunk ([`Part::Kept`]).

use super::item::{EventView, MESSAGE};
use crate::{Limit, Limits};

/// A buffer that grew beyond this for one event is given back after it.
const KEPT_CAPACITY: usize = 64 << 10;

/// The fields of the block that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'i> {
    name: Part<'i>,
    data: Part<'i>,
}

/// Where the value of a field is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'i> {
    /// There is none.
    Absent,
    /// In the chunk.
    Here(&'i str),
    /// In its buffer.
    Kept,
}

/// What outlives a chunk.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) name: String,
    pub(super) data: String,
    /// The id of the block; always here, because it is committed by a swap.
    id: String,
    has_name: bool,
    has_data: bool,
    has_id: bool,
}

impl Buffers {
    pub(super) fn set_id(&mut self, id: &str, limits: &Limits) -> Result<(), Limit> {
        if id.len() > limits.max_id {
            return Err(Limit::Id);
        }
        if !id.contains('\0') {
            id.clone_into(&mut self.id);
            self.has_id = true;
        }
        Ok(())
    }

    /// At the blank line: makes the block's id, if it has one, the last event id.
    #[inline]
    pub(super) fn commit_id(&mut self, last_event_id: &mut String) -> bool {
        if self.has_id {
            std::mem::swap(&mut self.id, last_event_id);
        }
        self.has_id
    }

    /// The bytes that count for the limit, of a block with nothing in the chunk.
    #[inline]
    pub(super) fn event_len(&self) -> usize {
        Block::resume(self).len(self)
    }

    /// Begins another block.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.has_name = false;
        self.has_data = false;
        self.has_id = false;
    }

    /// Gives back what a large event needed.
    fn release(&mut self) {
        if !self.has_data && self.data.capacity() > KEPT_CAPACITY {
            self.data = String::new();
        }
        if !self.has_name && self.name.capacity() > KEPT_CAPACITY {
            self.name = String::new();
        }
    }
}

impl<'i> Block<'i> {
    pub(super) const EMPTY: Self = Self {
        name: Part::Absent,
        data: Part::Absent,
    };

    /// The block as the chunk before left it.
    #[inline]
    pub(super) fn resume(buffers: &Buffers) -> Self {
        let part = |has| if has { Part::Kept } else { Part::Absent };
        Self {
            name: part(buffers.has_name),
            data: part(buffers.has_data),
        }
    }

    /// Leaves the block for the next chunk.
    pub(super) fn keep(&self, buffers: &mut Buffers) {
        let keep = |part: Part<'_>, buffer: &mut String| {
            if let Part::Here(value) = part {
                value.clone_into(buffer);
            }
            !matches!(part, Part::Absent)
        };
        buffers.has_name = keep(self.name, &mut buffers.name);
        buffers.has_data = keep(self.data, &mut buffers.data);
        buffers.release();
    }

    /// Sets the name; the empty one is none.
    pub(super) fn set_name(
        &mut self,
        name: Part<'i>,
        buffers: &Buffers,
        limits: &Limits,
    ) -> Result<(), Limit> {
        self.name = name;
        if self.name_len(buffers) == 0 {
            self.name = Part::Absent;
        }
        self.check(buffers, limits)
    }

    /// Adds a `data` line that lies within the chunk.
    #[inline]
    pub(super) fn add_data(
        &mut self,
        line: usize,
        value: &'i str,
        buffers: &mut Buffers,
        limits: &Limits,
    ) -> Result<(), Limit> {
        if !matches!(self.data, Part::Absent) {
            self.join_data(buffers);
        }
        let before = self.len(buffers);
        if line > limits.max_line || before + value.len() > limits.max_event {
            return Err(first_limit(line, value.len(), before, limits));
        }
        match self.data {
            Part::Kept => buffers.data.push_str(value),
            Part::Absent | Part::Here(_) => self.data = Part::Here(value),
        }
        Ok(())
    }

    /// Makes the data buffer ready for another line.
    pub(super) fn join_data(&mut self, buffers: &mut Buffers) {
        match self.data {
            Part::Absent => buffers.data.clear(),
            Part::Here(first) => {
                first.clone_into(&mut buffers.data);
                buffers.data.push('\n');
            }
            Part::Kept => buffers.data.push('\n'),
        }
        self.data = Part::Kept;
    }

    pub(super) fn has_data(&self) -> bool {
        !matches!(self.data, Part::Absent)
    }

    /// The bytes that count for the limit.
    #[inline]
    pub(super) fn len(&self, buffers: &Buffers) -> usize {
        let data = match self.data {
            Part::Absent => 0,
            Part::Here(data) => data.len(),
            Part::Kept => buffers.data.len(),
        };
        self.name_len(buffers) + data
    }

    #[inline]
    fn name_len(&self, buffers: &Buffers) -> usize {
        match self.name {
            Part::Absent => 0,
            Part::Here(name) => name.len(),
            Part::Kept => buffers.name.len(),
        }
    }

    pub(super) fn check(&self, buffers: &Buffers, limits: &Limits) -> Result<(), Limit> {
        if self.len(buffers) > limits.max_event {
            return Err(Limit::Event);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn view<'s>(&self, buffers: &'s Buffers, last_event_id: &'s str, has_id: bool) -> EventView<'s>
    where
        'i: 's,
    {
        EventView {
            name: match self.name {
                Part::Absent => MESSAGE,
                Part::Here(name) => name,
                Part::Kept => &buffers.name,
            },
            has_name: !matches!(self.name, Part::Absent),
            data: match self.data {
                Part::Absent => "",
                Part::Here(data) => data,
                Part::Kept => &buffers.data,
            },
            last_event_id,
            has_id,
        }
    }
}

/// Which limit a `data` line breaks first, as if it came byte by byte.
#[cold]
fn first_limit(line: usize, value: usize, before: usize, limits: &Limits) -> Limit {
    let line_room = limits.max_line.saturating_sub(line - value);
    let event_room = limits.max_event.saturating_sub(before);
    if line > limits.max_line && line_room <= event_room {
        Limit::Line
    } else {
        Limit::Event
    }
}
