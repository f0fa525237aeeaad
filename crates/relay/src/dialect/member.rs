//! Members of JSON texts. The rest is read over and not held: an event of many small values would take many times its size as
//! a tree.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// A value that is read when somebody asks for it, and may be of any type.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Member<'a>(Option<&'a str>);

impl<'a> Member<'a> {
    /// The value of a whole text. If that is no JSON, it has no members and no elements.
    pub(super) fn of(json: &'a str) -> Self {
        Self(Some(json.trim_ascii()))
    }

    /// Its members with these names, if it is an object. Of members with one name the last counts.
    pub(super) fn members<const N: usize>(self, names: [&str; N]) -> [Self; N] {
        let mut found = [Self::default(); N];
        if let Some(text) = self.0.filter(|text| text.starts_with('{')) {
            let mut json = serde_json::Deserializer::from_str(text);
            let read = json.deserialize_map(Named {
                names: &names,
                found: &mut found,
                text: PhantomData,
            });
            if read.and_then(|()| json.end()).is_err() {
                return [Self::default(); N];
            }
        }
        found
    }

    pub(super) fn member(self, name: &str) -> Self {
        let [member] = self.members([name]);
        member
    }

    /// Does something with each of its elements, if it is a list.
    pub(super) fn each(self, act: impl FnMut(Self)) {
        if self.is_list() {
            let mut json = serde_json::Deserializer::from_str(self.0.unwrap_or_default());
            let _ = json.deserialize_seq(Each(act, PhantomData));
        }
    }

    pub(super) fn first(self) -> Self {
        let mut first = None;
        self.each(|element| {
            first.get_or_insert(element);
        });
        first.unwrap_or_default()
    }

    /// Whether there is such a member at all.
    pub(super) fn is_there(self) -> bool {
        self.0.is_some()
    }

    pub(super) fn is_list(self) -> bool {
        self.0.is_some_and(|text| text.starts_with('['))
    }

    pub(super) fn is_object(self) -> bool {
        self.0.is_some_and(|text| text.starts_with('{'))
    }

    pub(super) fn is_null(self) -> bool {
        self.0.is_none_or(|text| text == "null")
    }

    pub(super) fn is_true(self) -> bool {
        self.0 == Some("true")
    }

    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        self.read()
    }

    /// Whether it is this text.
    pub(super) fn is(self, text: &str) -> bool {
        self.text().as_deref() == Some(text)
    }

    pub(super) fn number(self) -> Option<u64> {
        serde_json::from_str(self.0?).ok()
    }

    pub(super) fn as_written(self) -> &'a str {
        self.0.unwrap_or_default()
    }

    fn read(self) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        let text: Text<'a> = serde_json::from_str(self.0?).ok()?;
        Some(text.0)
    }
}

struct Named<'n, 'f, 'a, const N: usize> {
    names: &'n [&'n str; N],
    found: &'f mut [Member<'a>; N],
    text: PhantomData<&'a str>,
}

impl<'a, const N: usize> Visitor<'a> for Named<'_, '_, 'a, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key::<Cow<'a, str>>()? {
            match self.names.iter().position(|other| *other == name) {
                Some(place) => self.found[place] = Member(Some(object.next_value::<&RawValue>()?.get())),
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Each<'a, F>(F, PhantomData<&'a str>);

impl<'a, F: FnMut(Member<'a>)> Visitor<'a> for Each<'a, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<&RawValue>()? {
            (self.0)(Member(Some(element.get())));
        }
        Ok(())
    }
}

/// Each member with its name in JSON; they are found in one pass.
macro_rules! members {
    ($($field:ident: $name:literal),* $(,)?) => {
        /// The members of an event that some dialect looks at.
        #[derive(Debug)]
        pub(super) struct Members<'a> {
            pub(super) kind: Cow<'a, str>,
            $(pub(super) $field: Member<'a>,)*
        }

        impl<'a> Members<'a> {
            pub(super) fn of(data: &'a str) -> Self {
                let [kind, $($field),*] = Member::of(data).members(["type", $($name),*]);
                let kind = kind.text().unwrap_or_default();
                Self { kind, $($field),* }
            }
        }
    };
}

members! {
    object: "object",
    sequence_number: "sequence_number",
    choices: "choices",
    candidates: "candidates",
    prompt_feedback: "promptFeedback",
    response: "response",
    delta: "delta",
    error: "error",
    message: "message",
    error_text: "errorText",
    run_id: "run_id",
    done: "done",
    status: "status",
}

impl Members<'_> {
    /// Whether Gemini says that it does not answer the prompt.
    pub(super) fn is_blocked(&self) -> bool {
        self.prompt_feedback.member("blockReason").text().is_some()
    }
}
