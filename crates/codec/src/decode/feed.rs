//! One chunk read: text into lines, lines into a block, a block into an event.
//!
//! While a block lies within the chunk its fields are slices of the chunk ([`Part::Here`]). When the
//! chunk ends, or when data must be joined, they move to the decoder's buffers ([`Part::Kept`]).
//!
//! Lines take one of two ways with the same outcome: [`Feed::whole_line`] for a line that lies within
//! the chunk's text, [`Feed::append`] and [`Feed::end_line`] for one that comes in pieces.

use memchr::memchr2;

use super::decoder::{Decoder, Line, Unfinished};
use super::field::{Field, millis};
use super::item::{EventView, Item, MESSAGE, Message};
use super::utf8;
use crate::{Limit, Overlong};

const BOM: char = '\u{FEFF}';

/// The items of one chunk; see [`Decoder::feed`].
#[derive(Debug)]
#[must_use = "nothing is read until the items are taken"]
pub struct Feed<'d, 'i> {
    decoder: &'d mut Decoder,
    /// The part of the chunk that is read now.
    text: &'i str,
    /// An invalid sequence stood behind `text`.
    broken: bool,
    /// The bytes behind that.
    rest: &'i [u8],
    block: Block<'i>,
}

/// The block that is being read.
#[derive(Debug, Clone, Copy)]
struct Block<'i> {
    name: Part<'i>,
    data: Part<'i>,
    id: Part<'i>,
}

/// Where the value of a field is.
#[derive(Debug, Clone, Copy)]
enum Part<'i> {
    /// There is none.
    Absent,
    /// In the chunk.
    Here(&'i str),
    /// In the decoder's buffer.
    Kept,
}

/// An item whose texts have not been looked up yet, so that it does not borrow the decoder.
#[derive(Clone, Copy)]
enum Step<'i> {
    Event(Block<'i>),
    /// Kept means: in the unfinished line's buffer.
    Comment(Part<'i>),
    Retry(u64),
    Overlong(Overlong),
}

const NO_BLOCK: Block<'static> = Block {
    name: Part::Absent,
    data: Part::Absent,
    id: Part::Absent,
};

impl<'d, 'i> Feed<'d, 'i> {
    pub(super) fn new(decoder: &'d mut Decoder, chunk: &'i [u8]) -> Self {
        decoder.release();
        // Taken, so that a feed dropped half-way leaves no stale block behind.
        let part = |has: &mut bool| match std::mem::take(has) {
            true => Part::Kept,
            false => Part::Absent,
        };
        let block = Block {
            name: part(&mut decoder.has_name),
            data: part(&mut decoder.has_data),
            id: part(&mut decoder.has_id),
        };
        Self {
            decoder,
            text: "",
            broken: false,
            rest: chunk,
            block,
        }
    }

    /// The next item that the chunk completes, or `None` when the chunk is used up.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    #[inline]
    pub fn next(&mut self) -> Option<Item<'_>> {
        let step = self.advance()?;
        Some(show(self.decoder, step))
    }

    /// The chunk's events, owned. Comments and reconnection times are passed over.
    pub fn messages(self) -> Messages<'d, 'i> {
        Messages { feed: self }
    }

    /// The id to resume after, as of the last item taken; see [`Decoder::last_event_id`].
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.decoder.last_event_id
    }

    /// Ends the stream; see [`Decoder::finish`].
    pub(super) fn finish(mut self, unfinished: Unfinished) -> Option<Item<'d>>
    where
        'i: 'd,
    {
        let mut step = None;
        if !self.decoder.carry.is_empty() {
            step = self.character(char::REPLACEMENT_CHARACTER);
        }
        if step.is_none() && unfinished == Unfinished::Keep && !self.decoder.skipping {
            let cut = matches!(self.decoder.line, Line::Dropped)
                || (self.decoder.line == Line::Kept && self.decoder.kept != "data");
            step = if cut { None } else { self.end_line() };
            step = step.or_else(|| self.blank_line());
        }
        self.decoder.restart();
        step.map(|step| show(self.decoder, step))
    }

    fn advance(&mut self) -> Option<Step<'i>> {
        loop {
            let step = if self.decoder.line != Line::None {
                self.continue_line()
            } else if let Some(end) = line_end(self.text) {
                let line = self.take_text(end);
                self.take_line_end();
                self.whole_line(line)
            } else if !self.text.is_empty() {
                let piece = self.take_text(self.text.len());
                self.append(piece)
            } else {
                None
            };
            if step.is_some() {
                return step;
            }
            if self.text.is_empty() {
                if self.rest.is_empty() && !self.broken {
                    self.keep_block();
                    return None;
                }
                if let Some(step) = self.next_text() {
                    return Some(step);
                }
            }
        }
    }

    /// Turns bytes into text; what is between two texts goes to the unfinished line at once.
    fn next_text(&mut self) -> Option<Step<'i>> {
        if self.broken {
            self.broken = false;
            return self.character(char::REPLACEMENT_CHARACTER);
        }
        if !self.decoder.carry.is_empty() {
            let character = self.decoder.carry.complete(&mut self.rest)?;
            return self.character(character);
        }
        let piece = utf8::take(self.rest);
        self.decoder.carry = piece.carry;
        self.rest = piece.rest;
        self.broken = piece.broken;
        self.text = piece.text;
        if self.text.is_empty() {
            return None;
        }
        if self.decoder.at_start {
            self.decoder.at_start = false;
            self.text = self.text.strip_prefix(BOM).unwrap_or(self.text);
        }
        if self.decoder.after_cr && !self.text.is_empty() {
            self.decoder.after_cr = false;
            self.text = self.text.strip_prefix('\n').unwrap_or(self.text);
        }
        None
    }

    /// A character that does not stand in the chunk as it is; never a line end.
    #[cold]
    fn character(&mut self, character: char) -> Option<Step<'i>> {
        self.decoder.after_cr = false;
        if std::mem::take(&mut self.decoder.at_start) && character == BOM {
            return None;
        }
        self.append(character.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn take_text(&mut self, len: usize) -> &'i str {
        let (taken, text) = self.text.split_at(len);
        self.text = text;
        taken
    }

    /// Steps over CR, LF or CRLF at the front of the text.
    #[inline]
    fn take_line_end(&mut self) {
        let end = match self.text.as_bytes() {
            [b'\r', b'\n', ..] => 2,
            [b'\r'] => {
                self.decoder.after_cr = true;
                1
            }
            _ => 1,
        };
        self.text = &self.text[end..];
    }

    // ---- a line that lies within the text ----

    #[inline]
    fn whole_line(&mut self, line: &'i str) -> Option<Step<'i>> {
        if line.is_empty() {
            return self.blank_line();
        }
        if self.decoder.skipping {
            return None;
        }
        let field = Field::parse(line);
        if let Field::Data(value) = field {
            return self.whole_data(line, value);
        }
        if line.len() > self.decoder.options.limits.max_line {
            return self.overlong(Limit::Line);
        }
        match field {
            Field::Event("") => self.block.name = Part::Absent,
            Field::Event(name) => {
                self.block.name = Part::Here(name);
                return self.check_event();
            }
            Field::Id(id) if id.len() > self.decoder.options.limits.max_id => {
                return self.overlong(Limit::Id);
            }
            Field::Id(id) if !id.contains('\0') => self.block.id = Part::Here(id),
            Field::Retry(value) if self.decoder.options.retry => {
                return millis(value).map(Step::Retry);
            }
            Field::Comment(text) if self.decoder.options.comments => {
                return Some(Step::Comment(Part::Here(text)));
            }
            _ => {}
        }
        None
    }

    #[inline]
    fn whole_data(&mut self, line: &str, value: &'i str) -> Option<Step<'i>> {
        if let Part::Absent = self.block.data {
            self.block.data = Part::Here("");
        } else {
            self.join_data();
        }
        let limits = &self.decoder.options.limits;
        if line.len() > limits.max_line || self.event_len() + value.len() > limits.max_event {
            let limit = self.first_limit(line.len(), value.len());
            return self.overlong(limit);
        }
        match &mut self.block.data {
            Part::Kept => self.decoder.data.push_str(value),
            data => *data = Part::Here(value),
        }
        None
    }

    // ---- a line that comes in pieces ----

    fn continue_line(&mut self) -> Option<Step<'i>> {
        match line_end(self.text) {
            Some(0) => {
                self.take_line_end();
                self.end_line()
            }
            // Its end is met in the next round.
            end => {
                let piece = self.take_text(end.unwrap_or(self.text.len()));
                self.append(piece)
            }
        }
    }

    /// Adds to the unfinished line, or begins one.
    fn append(&mut self, mut piece: &str) -> Option<Step<'i>> {
        if piece.is_empty() {
            return None;
        }
        if self.decoder.line == Line::None {
            self.begin_line(piece);
        }
        if self.decoder.skipping {
            return None;
        }
        if self.decoder.line == Line::Kept {
            // As long as the line may become a `data` line, see whether it does.
            let colon = "data:"
                .strip_prefix(self.decoder.kept.as_str())
                .and_then(|missing| piece.strip_prefix(missing));
            if let Some(value) = colon {
                piece = value;
                self.begin_data();
            }
        }
        if let Line::Data { after_colon: true } = self.decoder.line
            && !piece.is_empty()
        {
            self.decoder.line = Line::Data { after_colon: false };
            if let Some(value) = piece.strip_prefix(' ') {
                piece = value;
                self.decoder.line_len += 1;
            }
        }
        self.append_checked(piece)
    }

    fn begin_line(&mut self, piece: &str) {
        let decoder = &mut *self.decoder;
        let unseen = decoder.skipping || (!decoder.options.comments && piece.starts_with(':'));
        decoder.line = if unseen { Line::Dropped } else { Line::Kept };
        decoder.line_len = 0;
        decoder.kept.clear();
    }

    fn begin_data(&mut self) {
        self.decoder.line = Line::Data { after_colon: true };
        self.decoder.line_len = "data:".len();
        self.join_data();
    }

    /// Adds a piece whose field is known as far as it can be.
    fn append_checked(&mut self, piece: &str) -> Option<Step<'i>> {
        let limits = &self.decoder.options.limits;
        let Some(line_room) = limits.max_line.checked_sub(self.decoder.line_len) else {
            return self.overlong(Limit::Line);
        };
        let is_data = matches!(self.decoder.line, Line::Data { .. });
        let room = if is_data {
            limits.max_event.saturating_sub(self.event_len())
        } else {
            usize::MAX
        };
        if piece.len() > line_room.min(room) {
            return self.overlong(if room < line_room {
                Limit::Event
            } else {
                Limit::Line
            });
        }
        let decoder = &mut *self.decoder;
        decoder.line_len += piece.len();
        match decoder.line {
            Line::Data { .. } => decoder.data.push_str(piece),
            Line::Kept => decoder.kept.push_str(piece),
            Line::None | Line::Dropped => {}
        }
        None
    }

    /// The end of a line that came in pieces.
    fn end_line(&mut self) -> Option<Step<'i>> {
        let line = std::mem::replace(&mut self.decoder.line, Line::None);
        match line {
            Line::Data { .. } => self.check_event(),
            Line::Kept => {
                let kept = std::mem::take(&mut self.decoder.kept);
                let step = self.kept_line(&kept);
                self.decoder.kept = kept;
                step
            }
            Line::None | Line::Dropped => None,
        }
    }

    fn kept_line(&mut self, line: &str) -> Option<Step<'i>> {
        match Field::parse(line) {
            Field::Data(_) => {
                // Only `data` without colon comes here.
                self.join_data();
                self.check_event()
            }
            Field::Event("") => {
                self.block.name = Part::Absent;
                None
            }
            Field::Event(name) => {
                name.clone_into(&mut self.decoder.name);
                self.block.name = Part::Kept;
                self.check_event()
            }
            Field::Id(id) if id.len() > self.decoder.options.limits.max_id => self.overlong(Limit::Id),
            Field::Id(id) if !id.contains('\0') => {
                id.clone_into(&mut self.decoder.id);
                self.block.id = Part::Kept;
                None
            }
            Field::Retry(value) if self.decoder.options.retry => millis(value).map(Step::Retry),
            Field::Comment(_) if self.decoder.options.comments => Some(Step::Comment(Part::Kept)),
            _ => None,
        }
    }

    // ---- the block ----

    fn blank_line(&mut self) -> Option<Step<'i>> {
        self.decoder.skipping = false;
        let block = std::mem::replace(&mut self.block, NO_BLOCK);
        match block.id {
            Part::Absent => {}
            Part::Here(id) => id.clone_into(&mut self.decoder.last_event_id),
            Part::Kept => std::mem::swap(&mut self.decoder.last_event_id, &mut self.decoder.id),
        }
        match block.data {
            Part::Absent => None,
            Part::Here(_) | Part::Kept => Some(Step::Event(block)),
        }
    }

    /// Makes the data ready for another line of it.
    #[cold]
    fn join_data(&mut self) {
        let data = &mut self.decoder.data;
        match self.block.data {
            Part::Absent => data.clear(),
            Part::Here(first) => {
                first.clone_into(data);
                data.push('\n');
            }
            Part::Kept => data.push('\n'),
        }
        self.block.data = Part::Kept;
    }

    /// Moves what lies in the chunk to the decoder's buffers, for the next chunk to find.
    fn keep_block(&mut self) {
        let decoder = &mut *self.decoder;
        let keep = |part: &mut Part<'i>, buffer: &mut String| {
            if let Part::Here(value) = *part {
                value.clone_into(buffer);
                *part = Part::Kept;
            }
            matches!(part, Part::Kept)
        };
        decoder.has_name = keep(&mut self.block.name, &mut decoder.name);
        decoder.has_data = keep(&mut self.block.data, &mut decoder.data);
        decoder.has_id = keep(&mut self.block.id, &mut decoder.id);
    }

    // ---- limits ----

    #[inline]
    fn event_len(&self) -> usize {
        let len = |part: Part<'_>, buffer: &String| match part {
            Part::Absent => 0,
            Part::Here(value) => value.len(),
            Part::Kept => buffer.len(),
        };
        len(self.block.name, &self.decoder.name) + len(self.block.data, &self.decoder.data)
    }

    /// Which limit a `data` line breaks first, as if it came byte by byte.
    #[cold]
    fn first_limit(&self, line: usize, value: usize) -> Limit {
        let limits = &self.decoder.options.limits;
        let line_room = limits.max_line.saturating_sub(line - value);
        let event_room = limits.max_event.saturating_sub(self.event_len());
        if line > limits.max_line && line_room <= event_room {
            Limit::Line
        } else {
            Limit::Event
        }
    }

    fn check_event(&mut self) -> Option<Step<'i>> {
        if self.event_len() > self.decoder.options.limits.max_event {
            return self.overlong(Limit::Event);
        }
        None
    }

    /// Skips the block, up to its blank line, and says so.
    #[cold]
    fn overlong(&mut self, limit: Limit) -> Option<Step<'i>> {
        let decoder = &mut *self.decoder;
        decoder.skipping = true;
        if decoder.line != Line::None {
            decoder.line = Line::Dropped;
        }
        self.block = NO_BLOCK;
        let limits = &decoder.options.limits;
        let max = match limit {
            Limit::Line => limits.max_line,
            Limit::Event => limits.max_event,
            Limit::Id => limits.max_id,
        };
        Some(Step::Overlong(Overlong { limit, max }))
    }
}

/// An iterator over the events of one chunk, owned; see [`Feed::messages`].
#[derive(Debug)]
#[must_use = "nothing is read until the messages are taken"]
pub struct Messages<'d, 'i> {
    feed: Feed<'d, 'i>,
}

impl Iterator for Messages<'_, '_> {
    type Item = Result<Message, Overlong>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.feed.next()? {
                Item::Event(event) => return Some(Ok(event.to_message())),
                Item::Overlong(overlong) => return Some(Err(overlong)),
                Item::Comment(_) | Item::Retry(_) => {}
            }
        }
    }
}

fn show<'s>(decoder: &'s Decoder, step: Step<'s>) -> Item<'s> {
    match step {
        Step::Event(block) => Item::Event(EventView {
            name: match block.name {
                Part::Absent => MESSAGE,
                Part::Here(name) => name,
                Part::Kept => &decoder.name,
            },
            data: match block.data {
                Part::Here(data) => data,
                Part::Absent | Part::Kept => &decoder.data,
            },
            last_event_id: &decoder.last_event_id,
            has_id: !matches!(block.id, Part::Absent),
        }),
        Step::Comment(Part::Here(text)) => Item::Comment(text),
        Step::Comment(_) => match Field::parse(&decoder.kept) {
            Field::Comment(text) => Item::Comment(text),
            _ => Item::Comment(""),
        },
        Step::Retry(millis) => Item::Retry(millis),
        Step::Overlong(overlong) => Item::Overlong(overlong),
    }
}

/// Where the first line of `text` ends.
#[inline]
fn line_end(text: &str) -> Option<usize> {
    match text.as_bytes() {
        // The blank line after nearly every `data` line: no search is started for it.
        [b'\n', ..] => Some(0),
        bytes => memchr2(b'\n', b'\r', bytes),
    }
}
