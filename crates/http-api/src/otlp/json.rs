//! Rewrites OTLP's JSON as the protobuf that it stands for, so that one reader serves both.
//!
//! The form is protobuf's JSON mapping, but for identifiers in hexadecimal:
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>

use super::schema::{Kind, Message};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use service_api::{Code, Error, Result};
use std::{borrow::Cow, fmt};

/// Bytes of protobuf that one request may turn into.
const MAX_BYTES: usize = 64 << 20;

/// Bytes of a nested message's length: always five, as the length comes after the message.
const LENGTH_BYTES: usize = 5;

/// The protobuf of a request.
pub fn to_protobuf(body: &[u8], request: Message) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len().min(MAX_BYTES));
    let mut reader = serde_json::Deserializer::from_slice(body);
    let place = Place { out: &mut out, number: 0, kind: Kind::Message(request) };
    place.deserialize(&mut reader).and_then(|()| reader.end()).map_err(|e| {
        let full = out.len() > MAX_BYTES;
        let code = if full { Code::TooLarge } else { Code::BadRequest };
        Error::new(code, format!("cannot decode the JSON request: {e}"))
    })?;
    Ok(out)
}

/// A place in the JSON where the value of field `number` is expected. Field 0 is the request itself.
struct Place<'o> {
    out: &'o mut Vec<u8>,
    number: u32,
    kind: Kind,
}

impl Place<'_> {
    fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.out.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.out.push(v as u8);
    }

    fn tag(&mut self, wire_type: u64) {
        self.varint(u64::from(self.number) << 3 | wire_type);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.tag(2);
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn fixed64(&mut self, bits: u64) {
        self.tag(1);
        self.out.extend_from_slice(&bits.to_le_bytes());
    }

    fn number(&mut self, number: Number) -> bool {
        let integer = match number {
            Number::Unsigned(v) => Some(v),
            Number::Signed(v) => Some(v as u64),
            // 1e3 is an integer too
            Number::Float(v) if v.fract() == 0.0 && v.abs() < 9e18 => Some(v as i64 as u64),
            Number::Float(_) => None,
        };
        match (self.kind, integer) {
            (Kind::Double, _) => self.fixed64(number.as_float().to_bits()),
            (Kind::Varint, Some(v)) => {
                self.tag(0);
                self.varint(v);
            }
            (Kind::Sint, Some(v)) => {
                self.tag(0);
                self.varint(v << 1 ^ (v as i64 >> 63) as u64);
            }
            (Kind::Fixed64, Some(v)) => self.fixed64(v),
            (Kind::Fixed32, Some(v)) => {
                self.tag(5);
                self.out.extend_from_slice(&(v as u32).to_le_bytes());
            }
            _ => return false,
        }
        true
    }

    fn text(&mut self, text: &str) -> bool {
        match self.kind {
            Kind::String => self.bytes(text.as_bytes()),
            Kind::Bytes => match BASE64_STANDARD.decode(text) {
                Ok(bytes) => self.bytes(&bytes),
                Err(_) => return false,
            },
            Kind::Hex => match from_hex(text.as_bytes()) {
                Some(bytes) => self.bytes(&bytes),
                None => return false,
            },
            Kind::Message(_) | Kind::Bool => return false,
            // 64-bit integers are strings in JSON, and so are numbers that JSON lacks.
            _ => return parse_number(text).is_some_and(|number| self.number(number)),
        }
        true
    }

    fn members<'de, A: MapAccess<'de>>(&mut self, message: Message, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Name<'de>>()? {
            match message.field(&name.0) {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some((number, kind)) => map.next_value_seed(Place { out: self.out, number, kind })?,
            }
            if self.out.len() > MAX_BYTES {
                return Err(A::Error::custom(format_args!("it is more than {MAX_BYTES} bytes of protobuf")));
            }
        }
        Ok(())
    }
}

/// A number as JSON has it.
#[derive(Clone, Copy)]
enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Number {
    fn as_float(self) -> f64 {
        match self {
            Self::Unsigned(v) => v as f64,
            Self::Signed(v) => v as f64,
            Self::Float(v) => v,
        }
    }
}

fn parse_number(text: &str) -> Option<Number> {
    let unsigned = text.parse().map(Number::Unsigned);
    let integer = unsigned.or_else(|_| text.parse().map(Number::Signed));
    integer.ok().or_else(|| text.parse().ok().map(Number::Float))
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Message(message) => write!(f, "an object, {message:?}"),
            Kind::String => f.write_str("a string"),
            Kind::Bytes => f.write_str("a string of base64"),
            Kind::Hex => f.write_str("a string of hexadecimal digits"),
            Kind::Bool => f.write_str("true or false"),
            Kind::Double => f.write_str("a number"),
            _ => f.write_str("an integer"),
        }
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        if self.text(text) { Ok(()) } else { Err(E::invalid_value(Unexpected::Str(text), &self)) }
    }

    fn visit_bool<E: serde::de::Error>(mut self, v: bool) -> Result<(), E> {
        if self.kind != Kind::Bool {
            return Err(E::invalid_type(Unexpected::Bool(v), &self));
        }
        self.tag(0);
        self.varint(u64::from(v));
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(mut self, v: u64) -> Result<(), E> {
        if self.number(Number::Unsigned(v)) {
            Ok(())
        } else {
            Err(E::invalid_type(Unexpected::Unsigned(v), &self))
        }
    }

    fn visit_i64<E: serde::de::Error>(mut self, v: i64) -> Result<(), E> {
        if self.number(Number::Signed(v)) {
            Ok(())
        } else {
            Err(E::invalid_type(Unexpected::Signed(v), &self))
        }
    }

    fn visit_f64<E: serde::de::Error>(mut self, v: f64) -> Result<(), E> {
        if self.number(Number::Float(v)) { Ok(()) } else { Err(E::invalid_type(Unexpected::Float(v), &self)) }
    }

    /// Null is a field that is not there.
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let (number, kind) = (self.number, self.kind);
        while seq.next_element_seed(Place { out: self.out, number, kind })?.is_some() {
            if self.out.len() > MAX_BYTES {
                return Err(A::Error::custom(format_args!("it is more than {MAX_BYTES} bytes of protobuf")));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.kind else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        if self.number == 0 {
            return self.members(message, map);
        }
        self.tag(2);
        let start = self.out.len() + LENGTH_BYTES;
        self.out.resize(start, 0);
        self.members(message, map)?;
        let len = self.out.len() - start;
        for (i, byte) in self.out[start - LENGTH_BYTES..start].iter_mut().enumerate() {
            let more = if i + 1 < LENGTH_BYTES { 0x80 } else { 0 };
            *byte = (len >> (7 * i) & 0x7f) as u8 | more;
        }
        Ok(())
    }
}

/// A field's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
