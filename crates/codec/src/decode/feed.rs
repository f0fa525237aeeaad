//! One chunk read: lines into the block, the block into an event.
//!
//! A line that lies within the chunk and one that comes in pieces lead to the same, by two ways:
//! [`Feed::whole_line`], and [`Feed::append`] with [`Feed::end_line`].

use super::block::{Block, Part};
use super::chunk::{Chunk, Piece};
use super::decoder::{Decoder, Unfinished};
use super::field::{Field, millis};
use super::item::{Item, Message};
use super::tail::State;
use crate::{Limit, Overlong};

/// The items of one chunk; see [`Decoder::feed`].
#[derive(Debug)]
#[must_use = "nothing is read until the items are taken"]
pub struct Feed<'d, 'i> {
    decoder: &'d mut Decoder,
    chunk: Chunk<'i>,
    /// Nothing is left of the chunk, and the block has been kept.
    done: bool,
    block: Block<'i>,
    /// The block is complete and handed out; it goes when the next item is asked for.
    shown: bool,
    /// The block that is handed out has an id of its own.
    has_id: bool,
}

/// An item whose texts have not been looked up yet, so that it does not borrow the decoder.
#[derive(Clone, Copy)]
enum Step<'i> {
    /// It is the block.
    Event,
    /// `None`: it is in the unfinished line's buffer.
    Comment(Option<&'i str>),
    Retry(u64),
    Overlong(Limit),
}

/// What a line leads to: an item, nothing, or a broken limit.
type Outcome<'i> = Result<Option<Step<'i>>, Limit>;

impl<'d, 'i> Feed<'d, 'i> {
    #[inline]
    pub(super) fn new(decoder: &'d mut Decoder, chunk: &'i [u8]) -> Self {
        let block = Block::resume(&decoder.buffers);
        Self {
            decoder,
            chunk: Chunk::new(chunk),
            done: chunk.is_empty(),
            block,
            shown: false,
            has_id: false,
        }
    }

    /// The next item that the chunk completes, or `None` when the chunk is used up.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    #[inline]
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.done {
            return None;
        }
        let step = self.advance()?;
        Some(self.show(step))
    }

    /// The chunk's events, owned. Comments and reconnection times are passed over.
    pub fn messages(self) -> Messages<'d, 'i> {
        Messages { feed: self }
    }

    /// The id to resume after, as of the last item taken; see [`Decoder::last_event_id`].
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    #[inline]
    fn show<'s>(&'s self, step: Step<'s>) -> Item<'s> {
        match step {
            Step::Event => Item::Event(self.block.view(
                &self.decoder.buffers,
                &self.decoder.last_event_id,
                self.has_id,
            )),
            Step::Comment(Some(text)) => Item::Comment(text),
            Step::Comment(None) => match Field::parse(&self.decoder.tail.kept) {
                Field::Comment(text) => Item::Comment(text),
                _ => Item::Comment(""),
            },
            Step::Retry(millis) => Item::Retry(millis),
            Step::Overlong(limit) => Item::Overlong(Overlong {
                limit,
                max: self.decoder.limits.of(limit),
            }),
        }
    }

    fn advance(&mut self) -> Option<Step<'i>> {
        if std::mem::take(&mut self.shown) {
            self.block = Block::EMPTY;
        }
        loop {
            let outcome = match self.chunk.next(&mut self.decoder.seam) {
                Piece::Line(line) if self.decoder.tail.is_none() => self.whole_line(line),
                Piece::Line(last) => self.last_piece(last),
                Piece::Part(part) => self.append(part),
                Piece::Character(character) => self.append(character.encode_utf8(&mut [0; 4])),
                Piece::End => {
                    self.block.keep(&mut self.decoder.buffers);
                    self.decoder.tail.release();
                    self.done = true;
                    return None;
                }
            };
            match outcome {
                Ok(None) => {}
                Ok(step) => return step,
                Err(limit) => return Some(self.give_up(limit)),
            }
        }
    }

    #[inline]
    fn whole_line(&mut self, line: &'i str) -> Outcome<'i> {
        if line.is_empty() {
            return Ok(self.blank_line());
        }
        let decoder = &mut *self.decoder;
        if decoder.skipping {
            return Ok(None);
        }
        let field = Field::parse(line);
        if let Field::Data(value) = field {
            self.block
                .add_data(line.len(), value, &mut decoder.buffers, &decoder.limits)?;
            return Ok(None);
        }
        if line.len() > decoder.limits.max_line {
            return Err(Limit::Line);
        }
        match field {
            Field::Event(name) => {
                self.block
                    .set_name(Part::Here(name), &decoder.buffers, &decoder.limits)?;
                Ok(None)
            }
            Field::Comment(text) if decoder.comments => Ok(Some(Step::Comment(Some(text)))),
            other => self.id_or_retry(other),
        }
    }

    /// The rest of a line, up to its end.
    fn last_piece(&mut self, piece: &str) -> Outcome<'i> {
        let outcome = match self.append(piece) {
            Ok(_) => self.end_line(),
            broken => broken,
        };
        self.decoder.tail.state = State::None;
        outcome
    }

    /// Adds to the unfinished line, or begins one.
    fn append(&mut self, piece: &str) -> Outcome<'i> {
        let decoder = &mut *self.decoder;
        if decoder.tail.is_none() {
            let unseen = piece.starts_with(':') && !decoder.comments;
            decoder.tail.begin(unseen || decoder.skipping);
        }
        if !decoder.skipping {
            decoder
                .tail
                .append(piece, &mut self.block, &mut decoder.buffers, &decoder.limits)?;
        }
        Ok(None)
    }

    /// The end of a line that came in pieces.
    fn end_line(&mut self) -> Outcome<'i> {
        let decoder = &mut *self.decoder;
        let (buffers, limits) = (&mut decoder.buffers, &decoder.limits);
        match decoder.tail.state {
            State::Data { .. } => {
                self.block.check(buffers, limits)?;
                return Ok(None);
            }
            State::Kept => {}
            State::None | State::Dropped => return Ok(None),
        }
        // Not borrowed, but taken for a moment, because the field is.
        let line = std::mem::take(&mut decoder.tail.kept);
        let outcome = match Field::parse(&line) {
            // With a colon it would not have been kept.
            Field::Data(_) => self
                .block
                .add_data(line.len(), "", buffers, limits)
                .map(|()| None),
            Field::Event(name) => {
                name.clone_into(&mut buffers.name);
                self.block.set_name(Part::Kept, buffers, limits).map(|()| None)
            }
            Field::Comment(_) if decoder.comments => Ok(Some(Step::Comment(None))),
            other => self.id_or_retry(other),
        };
        self.decoder.tail.kept = line;
        outcome
    }

    fn id_or_retry(&mut self, field: Field<'_>) -> Outcome<'i> {
        let decoder = &mut *self.decoder;
        match field {
            Field::Id(id) => {
                decoder.buffers.set_id(id, &decoder.limits)?;
                Ok(None)
            }
            Field::Retry(value) if decoder.retry => Ok(millis(value).map(Step::Retry)),
            _ => Ok(None),
        }
    }

    #[inline]
    fn blank_line(&mut self) -> Option<Step<'i>> {
        let decoder = &mut *self.decoder;
        decoder.skipping = false;
        self.has_id = decoder.buffers.commit_id(&mut decoder.last_event_id);
        decoder.buffers.forget();
        self.shown = self.block.has_data();
        if !self.shown {
            self.block = Block::EMPTY;
            return None;
        }
        Some(Step::Event)
    }

    /// Skips the block, up to its blank line.
    #[cold]
    fn give_up(&mut self, limit: Limit) -> Step<'i> {
        let decoder = &mut *self.decoder;
        decoder.skipping = true;
        if !decoder.tail.is_none() {
            decoder.tail.state = State::Dropped;
        }
        decoder.buffers.forget();
        self.block = Block::EMPTY;
        Step::Overlong(limit)
    }

    /// Ends the stream; see [`Decoder::finish`].
    pub(super) fn finish(mut self, unfinished: Unfinished) -> Option<Item<'d>>
    where
        'i: 'd,
    {
        let outcome = self.last_event(unfinished);
        let step = outcome.unwrap_or_else(|limit| Some(self.give_up(limit)));
        let Self {
            decoder,
            block,
            has_id,
            ..
        } = self;
        decoder.restart();
        Some(match step? {
            Step::Overlong(limit) => Item::Overlong(Overlong {
                limit,
                max: decoder.limits.of(limit),
            }),
            _ => Item::Event(block.view(&decoder.buffers, &decoder.last_event_id, has_id)),
        })
    }

    fn last_event(&mut self, unfinished: Unfinished) -> Outcome<'i> {
        if let Some(character) = self.decoder.seam.flush() {
            self.append(character.encode_utf8(&mut [0; 4]))?;
        }
        if unfinished == Unfinished::Drop || self.decoder.skipping {
            return Ok(None);
        }
        // Of a line without end only data counts.
        let tail = &self.decoder.tail;
        if tail.state != State::Kept || tail.kept == "data" {
            self.end_line()?;
        }
        Ok(self.blank_line())
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
