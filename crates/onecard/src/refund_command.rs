//! `onecard refund`: a payment goes back the way it came, because a person says so (R36).

use flows::refund::{NotMade, What, open};
use ledger::{Fen, Id};
use rules::ids::{CaseId, OrderNo};
use rules::refund::Asked;

use crate::prompt::{Refused, Said};
use crate::{Failure, Place, issue};

/// Options of `onecard refund`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    what: Named,
    /// How much, in yuan; without it all that can go back.
    #[arg(long, value_name = "YUAN")]
    amount: Option<String>,
    /// Why; the payer reads it.
    #[arg(long)]
    reason: String,
    /// Who asks for it.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// The second person, where two must agree.
    #[arg(long, value_name = "NAME")]
    approved_by: Option<String>,
}

/// The payment.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Named {
    /// Number of a top-up whose money waits for the card or is in the account.
    #[arg(long, value_name = "NUMBER")]
    order: Option<String>,
    /// Identifier of a case in which a payment lies.
    #[arg(long, value_name = "ID")]
    case: Option<String>,
}

/// Writes the refund into the book and holds its money; the server must not be running. Once it runs again it tells the
/// payment provider.
///
/// Errors, in order: what cannot be read as a number, an amount or an identifier; what [`open`] refuses.
/// Repeats: refused as long as the first refund of the payment goes on, and when nothing is left of it.
pub fn run(options: Options) -> Result<(), Failure> {
    let what = match (&options.what.order, &options.what.case) {
        (Some(number), _) => {
            let no = OrderNo::parse(number).map_err(|_| Said("--order has 24 digits, as the tracker shows".to_owned()));
            What::Order(no?)
        }
        (None, Some(case)) => {
            let id = Id::parse(case).map_err(|_| Said("--case is the identifier of a case".to_owned()));
            What::Case(CaseId(id?))
        }
        (None, None) => return Err(Said("name the payment with --order or --case".to_owned()).into()),
    };
    let amount = options.amount.as_deref().map(Fen::parse_yuan).transpose();
    let amount = amount.map_err(|fault| Said(format!("--amount: {fault}")))?;
    let asked = Asked { reason: options.reason, by: options.by, approved_by: options.approved_by };
    issue::with_school(&options.place, async move |school| {
        let form: [u8; 16] = school.random();
        let made = open(&school, what, amount, asked, form).await;
        let no = made.map_err(|refusal| match refusal {
            NotMade::Refused(words) | NotMade::Fault(words) => Refused::from(words),
        })?;
        println!("refund {no} is in the book; the server tells the payment provider as soon as it runs");
        Ok(())
    })
}
