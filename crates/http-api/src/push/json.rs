//! Loki's push message as JSON, read in place but for strings with escapes.

use super::lines::{LabelForm, Lines, push_error, push_pair};
use crate::names::label_name;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use service_api::{Error, LogBatch, Result, TextSpan};
use std::{borrow::Cow, fmt};

/// Reads a decompressed body.
pub fn parse(body: Vec<u8>) -> Result<LogBatch> {
    let body = match String::from_utf8(body) {
        Ok(body) => body,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    };
    let mut lines = Lines::new(body.as_bytes(), LabelForm::Pairs);
    let mut labels = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(&body);
    let push = Place { part: Part::Push, lines: &mut lines, labels: &mut labels };
    let read = push.deserialize(&mut reader).and_then(|_| reader.end());
    // What is too much stops the reader, so it is looked for first.
    let parts = lines.into_parts().map_err(push_error)?;
    read.map_err(|e| Error::bad_request(format!("cannot decode the push request: {e}")))?;
    parts.batch(body.into_bytes())
}

/// The parts of a push message.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Push,
    Streams,
    Stream,
    Labels,
    Values,
    Entry,
    Metadata,
    Text,
}

/// A place in the body where a part is expected. A text is read as where it lies.
struct Place<'l, 'a> {
    part: Part,
    lines: &'l mut Lines<'a>,
    /// The labels of the stream that is being read.
    labels: &'l mut Vec<u8>,
}

impl<'a> Place<'_, 'a> {
    fn at(&mut self, part: Part) -> Place<'_, 'a> {
        Place { part, lines: self.lines, labels: self.labels }
    }

    fn members<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'a>>()? {
            let part = match (self.part, &*name.0) {
                (Part::Push, "streams") => Part::Streams,
                (Part::Stream, "stream") => Part::Labels,
                (Part::Stream, "values") => Part::Values,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            map.next_value_seed(self.at(part))?;
        }
        Ok(())
    }

    fn stream<A: MapAccess<'a>>(mut self, map: A) -> Result<(), A::Error> {
        let begin = self.lines.begin_stream();
        self.labels.clear();
        self.at(Part::Stream).members(map)?;
        self.lines.end_stream(begin, self.labels);
        self.lines.check().map_err(A::Error::custom)
    }

    fn read_labels<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<Text<'a>, Text<'a>>()? {
            push_pair(self.labels, &name.0, &value.0);
        }
        Ok(())
    }

    fn metadata<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'a>>()? {
            let name = match name.0 {
                Cow::Borrowed(name) => match label_name(name) {
                    Cow::Borrowed(name) => self.lines.in_body(name),
                    Cow::Owned(name) => self.lines.add(&name),
                },
                Cow::Owned(name) => self.lines.add(&label_name(&name)),
            };
            let value = map.next_value_seed(self.at(Part::Text))?;
            self.lines.push_metadata(name, value);
            self.lines.check().map_err(A::Error::custom)?;
        }
        Ok(())
    }

    fn entry<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let missing = || A::Error::custom("an entry has less than a timestamp and a line");
        let timestamp = seq.next_element::<Text<'a>>()?.ok_or_else(missing)?;
        let timestamp = timestamp.0.parse().map_err(|_| {
            A::Error::custom(format_args!("timestamp {:?} is not a number of nanoseconds", timestamp.0))
        })?;
        let line = seq.next_element_seed(self.at(Part::Text))?.ok_or_else(missing)?;
        let begin = self.lines.begin_metadata();
        seq.next_element_seed(self.at(Part::Metadata))?;
        if seq.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom(
                "an entry has more than a timestamp, a line and structured metadata",
            ));
        }
        self.lines.push_entry(timestamp, line, begin);
        self.lines.check().map_err(A::Error::custom)
    }
}

impl<'a> DeserializeSeed<'a> for Place<'_, 'a> {
    type Value = TextSpan;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<TextSpan, D::Error> {
        match self.part {
            Part::Text => deserializer.deserialize_str(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'a> Visitor<'a> for Place<'_, 'a> {
    type Value = TextSpan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.part {
            Part::Push => "an object with streams",
            Part::Streams => "an array of streams",
            Part::Stream => "a stream",
            Part::Labels => "an object of labels",
            Part::Values => "an array of entries",
            Part::Entry => "an array of timestamp, line and structured metadata",
            Part::Metadata => "an object of strings",
            Part::Text => "a string",
        })
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'a str) -> Result<TextSpan, E> {
        match self.part {
            Part::Text => Ok(self.lines.in_body(text)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TextSpan, E> {
        match self.part {
            Part::Text => Ok(self.lines.add(text)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
    }

    /// Loki takes null for nothing where there may be several of something.
    fn visit_unit<E: serde::de::Error>(self) -> Result<TextSpan, E> {
        match self.part {
            Part::Streams | Part::Labels | Part::Values => Ok(TextSpan::default()),
            _ => Err(E::invalid_type(serde::de::Unexpected::Unit, &self)),
        }
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<TextSpan, A::Error> {
        match self.part {
            Part::Push => self.members(map)?,
            Part::Stream => self.stream(map)?,
            Part::Labels => self.read_labels(map)?,
            Part::Metadata => self.metadata(map)?,
            _ => return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)),
        }
        Ok(TextSpan::default())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<TextSpan, A::Error> {
        let element = match self.part {
            Part::Streams => Part::Stream,
            Part::Values => Part::Entry,
            Part::Entry => return self.entry(seq).map(|()| TextSpan::default()),
            _ => return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self)),
        };
        while seq.next_element_seed(self.at(element))?.is_some() {}
        Ok(TextSpan::default())
    }
}

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
