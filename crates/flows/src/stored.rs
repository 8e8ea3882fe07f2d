//! How rows are written down: field after field, the same row always to the same bytes.

use ledger::{CodecError, Fen, Id, Micros, Reader, Writer};
use rules::ids::{CardNo, CaseId, EnrolmentId, MerchantId, OrderNo, PersonId, RefundNo, TerminalNo};

/// A value with a stored form.
pub trait Stored: Sized {
    /// Appends the value.
    fn write(&self, out: &mut Writer);
    /// Reads what `write` appended.
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError>;
}

macro_rules! number {
    ($($kind:ty: $method:ident),*) => {$(
        impl Stored for $kind {
            fn write(&self, out: &mut Writer) {
                out.$method(*self);
            }
            fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                from.$method()
            }
        }
    )*};
}
number!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64);

macro_rules! through {
    ($($kind:ty = $inner:ty: $make:expr, $take:expr);* $(;)?) => {$(
        impl Stored for $kind {
            fn write(&self, out: &mut Writer) {
                let take: fn(&$kind) -> $inner = $take;
                take(self).write(out);
            }
            fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
                let make: fn($inner) -> $kind = $make;
                Ok(make(<$inner>::read(from)?))
            }
        }
    )*};
}
through! {
    Fen = i64: Fen::new, |fen| fen.get();
    Micros = i64: Micros::new, |at| at.get();
    PersonId = Id: PersonId, |id| id.0;
    MerchantId = Id: MerchantId, |id| id.0;
    CaseId = Id: CaseId, |id| id.0;
    EnrolmentId = Id: EnrolmentId, |id| id.0;
    CardNo = u64: CardNo, |no| no.0;
    OrderNo = Id: OrderNo::from_id, |no| no.id();
    RefundNo = Id: RefundNo::from_id, |no| no.id();
    TerminalNo = [u8; 3]: TerminalNo, |no| no.0;
}

impl Stored for Id {
    fn write(&self, out: &mut Writer) {
        out.u128(self.get());
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Id::new(from.u128()?))
    }
}

impl Stored for bool {
    fn write(&self, out: &mut Writer) {
        out.u8(u8::from(*self));
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        match from.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Unknown),
        }
    }
}

impl<const N: usize> Stored for [u8; N] {
    fn write(&self, out: &mut Writer) {
        out.raw(self);
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        from.array()
    }
}

impl Stored for String {
    fn write(&self, out: &mut Writer) {
        out.bytes(self.as_bytes());
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        String::from_utf8(from.bytes()?.to_vec()).map_err(|_| CodecError::Unknown)
    }
}

impl<T: Stored> Stored for Option<T> {
    fn write(&self, out: &mut Writer) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(if bool::read(from)? { Some(T::read(from)?) } else { None })
    }
}

impl<T: Stored> Stored for Vec<T> {
    fn write(&self, out: &mut Writer) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).write(out);
        for value in self {
            value.write(out);
        }
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let count = u32::read(from)?;
        (0..count).map(|_| T::read(from)).collect()
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    fn write(&self, out: &mut Writer) {
        self.0.write(out);
        self.1.write(out);
    }
    fn read(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok((A::read(from)?, B::read(from)?))
    }
}

/// Gives structs their stored form: the fields in the order named, all of them.
macro_rules! stored_struct {
    ($($kind:ty { $($field:ident),* $(,)? })*) => {$(
        impl $crate::stored::Stored for $kind {
            fn write(&self, out: &mut ledger::Writer) {
                let Self { $($field),* } = self;
                $($crate::stored::Stored::write($field, out);)*
            }
            fn read(from: &mut ledger::Reader<'_>) -> Result<Self, ledger::CodecError> {
                $(let $field = $crate::stored::Stored::read(from)?;)*
                Ok(Self { $($field),* })
            }
        }
    )*};
}

/// Gives enums their stored form: a byte for the variant, then its fields. A number is never given a new meaning.
macro_rules! stored_enum {
    ($kind:ty { $($tag:literal => $variant:ident $({ $($field:ident),* $(,)? })? $(( $($item:ident),* ))?),* $(,)? }) => {
        impl $crate::stored::Stored for $kind {
            fn write(&self, out: &mut ledger::Writer) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(( $($item),* ))? => {
                        out.u8($tag);
                        $($($crate::stored::Stored::write($field, out);)*)?
                        $($($crate::stored::Stored::write($item, out);)*)?
                    })*
                }
            }
            fn read(from: &mut ledger::Reader<'_>) -> Result<Self, ledger::CodecError> {
                match from.u8()? {
                    $($tag => {
                        $($(let $field = $crate::stored::Stored::read(from)?;)*)?
                        $($(let $item = $crate::stored::Stored::read(from)?;)*)?
                        Ok(Self::$variant $({ $($field),* })? $(( $($item),* ))?)
                    })*
                    _ => Err(ledger::CodecError::Unknown),
                }
            }
        }
    };
}

pub(crate) use {stored_enum, stored_struct};
