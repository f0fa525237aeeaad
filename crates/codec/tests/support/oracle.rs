//! The obvious decoder: slow, of the whole stream at once, close to the words of WHATWG HTML § 9.2.6.
//! It judges the fast one.

use tidewire_codec::{Limit, Limits, Unfinished};

use super::{Outcome, Seen, Setup};

/// Reads a stream.
pub fn decode(stream: &[u8], setup: &Setup) -> Outcome {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");

    let mut reader = Reader::new(setup);
    let mut lines: Vec<&str> = text.split('\n').collect();
    let cut = lines.pop().unwrap_or_default();
    for line in lines {
        if line.is_empty() {
            reader.dispatch();
        } else {
            reader.line(line);
        }
    }
    reader.end(cut);
    Outcome {
        items: reader.items,
        last_event_id: reader.last_event_id,
    }
}

struct Reader<'a> {
    setup: &'a Setup,
    items: Vec<Seen>,
    last_event_id: String,
    /// Every line of data with an LF behind it.
    data: String,
    event_type: String,
    /// Set by this block.
    id: Option<String>,
    skipping: bool,
}

impl<'a> Reader<'a> {
    fn new(setup: &'a Setup) -> Self {
        Self {
            setup,
            items: Vec::new(),
            last_event_id: String::new(),
            data: String::new(),
            event_type: String::new(),
            id: None,
            skipping: false,
        }
    }

    fn line(&mut self, line: &str) {
        if self.skipping {
            return;
        }
        let limits = self.setup.limits;
        if let Some(limit) = self.broken_within(line) {
            return self.skip(limit);
        }
        let (field, value) = field(line);
        match field {
            "" if self.setup.all => self.items.push(Seen::Comment(value.to_owned())),
            "data" => self.data.push_str(&format!("{value}\n")),
            "event" => self.event_type = value.to_owned(),
            "id" if value.len() > limits.max_id => self.skip(Limit::Id),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
                if let (true, Ok(millis)) = (self.setup.all, value.parse()) {
                    self.items.push(Seen::Retry(millis));
                }
            }
            _ => {}
        }
        if self.event_len() > limits.max_event {
            self.skip(Limit::Event);
        }
    }

    /// The limit that breaks while the bytes of a line come in, before its end.
    fn broken_within(&self, line: &str) -> Option<Limit> {
        let Limits {
            max_line, max_event, ..
        } = self.setup.limits;
        let value = if line.starts_with("data: ") { 6 } else { 5 };
        for len in 1..=line.len() {
            if len > max_line {
                return Some(Limit::Line);
            }
            let is_value = line.starts_with("data:") && len > value;
            if is_value && self.event_type.len() + self.data.len() + len - value > max_event {
                return Some(Limit::Event);
            }
        }
        None
    }

    fn event_len(&self) -> usize {
        // The last LF is no part of the data.
        self.event_type.len() + self.data.len().saturating_sub(1)
    }

    fn skip(&mut self, limit: Limit) {
        self.items.push(Seen::Overlong(limit));
        self.skipping = true;
        self.data.clear();
        self.event_type.clear();
        self.id = None;
    }

    fn dispatch(&mut self) {
        self.skipping = false;
        let has_id = self.id.is_some();
        if let Some(id) = self.id.take() {
            self.last_event_id = id;
        }
        let mut data = std::mem::take(&mut self.data);
        let event_type = std::mem::take(&mut self.event_type);
        if data.pop().is_none() {
            return;
        }
        self.items.push(Seen::Event {
            name: if event_type.is_empty() {
                "message".to_owned()
            } else {
                event_type
            },
            data,
            last_event_id: self.last_event_id.clone(),
            has_id,
        });
    }

    /// The end of the stream, after a line whose end did not come.
    fn end(&mut self, cut: &str) {
        if self.skipping {
            return;
        }
        if let Some(limit) = self.broken_within(cut) {
            return self.skip(limit);
        }
        if self.setup.unfinished == Unfinished::Keep {
            if field(cut).0 == "data" {
                self.line(cut);
            }
            self.dispatch();
        }
    }
}

fn field(line: &str) -> (&str, &str) {
    match line.split_once(':') {
        Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
        None => (line, ""),
    }
}
