//! What is said of one operation: enough to let a token through and to describe it to a program.

use rules::credential::Scope;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

/// Schemas by name, as they are gathered.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;

/// One method at one path.
pub(crate) struct Operation {
    /// `GET`, `POST` or `DELETE`.
    pub(crate) method: &'static str,
    /// The path, as the router has it.
    pub(crate) path: &'static str,
    /// Its name for generated clients.
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) summary: &'static str,
    /// What else a program must know.
    pub(crate) detail: &'static str,
    /// Who may.
    pub(crate) access: Access,
    /// What stands in the query.
    pub(crate) query: Option<Shape>,
    /// What is sent.
    pub(crate) input: Option<Shape>,
    /// What is answered.
    pub(crate) answer: Answer,
    /// Codes of refusals beside those that every operation has; each with its status in `codes`.
    pub(crate) refusals: &'static [&'static str],
}

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "the school's events are of this kind")]
pub(crate) enum Access {
    /// Everybody.
    Anyone,
    /// A holder in a session, and a holder's token with this scope.
    Holder(Scope),
    /// A holder in a session alone: no token opens it.
    SessionOnly,
    /// A token of the school with this scope.
    School(Scope),
}

/// What is answered when all is well.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// 200 with JSON.
    Found(Shape),
    /// 201 with JSON, and where it is found in `Location`.
    Made(Shape),
    /// 200 with a file of this media type.
    File(&'static str),
    /// 204 without content.
    Done,
}

impl Answer {
    pub(crate) const fn media(&self) -> &'static str {
        match self {
            Answer::Found(_) | Answer::Made(_) | Answer::Done => "application/json",
            Answer::File(media) => media,
        }
    }

    pub(crate) const fn status(&self) -> u16 {
        match self {
            Answer::Found(_) | Answer::File(_) => 200,
            Answer::Made(_) => 201,
            Answer::Done => 204,
        }
    }
}

impl Operation {
    /// Whether it changes something.
    pub(crate) fn changes(&self) -> bool {
        self.method != "GET"
    }

    /// Whether its answer is kept under the call's key. What is of a session alone does nothing more when repeated, and
    /// its answers carry cookies.
    pub(crate) fn keyed(&self) -> bool {
        self.changes() && self.access != Access::SessionOnly
    }
}

/// The schema of a type: its name, once it and all that it is made of are among the schemas.
pub(crate) type Shape = fn(&mut Schemas) -> String;

/// The shape of `T`.
pub(crate) fn shape<T: ToSchema>(all: &mut Schemas) -> String {
    let name = T::name().into_owned();
    T::schemas(all);
    all.push((name.clone(), T::schema()));
    name
}
