//! Asking WeChat who is there: silent OAuth2 of the official account, to pay (R27) and to come in.
//!
//! The openid is kept in a cookie that is sealed for one session, not in the server's memory: it outlives a restart, works
//! with several servers, opens in no other session and ends with its own. Nobody but the server can read or make it.

use axum::extract::{Query, State};
use axum::response::Response;
use flows::binding::{EnterRefusal, enter};
use flows::ports::ChannelError;
use rules::session::Kind;
use serde::Deserialize;

use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::{Failure, next_of};
use crate::page;
use crate::sign_in::{self, Asked};
use crate::visit::{Client, Guest, Holder, Visit, own_address, seal_payer};

/// Why somebody is sent to WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Who is signed in wants WeChat to say who they are there.
    Name,
    /// Who is not signed in wants to come in by it.
    Enter,
}

/// A visit to WeChat: begun once, ended once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    nonce: [u8; 16],
    purpose: Purpose,
    next: String,
}

impl Errand {
    /// As it stands in the cookie.
    pub fn bytes(&self) -> Vec<u8> {
        let purpose = match self.purpose {
            Purpose::Name => 1,
            Purpose::Enter => 2,
        };
        [&self.nonce[..], &[purpose], self.next.as_bytes()].concat()
    }

    /// What [`Errand::bytes`] wrote; nothing else.
    pub fn read(bytes: &[u8]) -> Option<Errand> {
        let (nonce, rest) = bytes.split_first_chunk()?;
        let (purpose, next) = rest.split_first()?;
        let purpose = match purpose {
            1 => Purpose::Name,
            2 => Purpose::Enter,
            _ => return None,
        };
        let next = own_address(std::str::from_utf8(next).ok()?)?.to_owned();
        Some(Errand { nonce: *nonce, purpose, next })
    }
}

/// What WeChat brings back.
#[derive(Deserialize)]
pub(crate) struct Brought {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Sends the browser to WeChat, with a state that only this session can bring back, once; and from there on to `next`.
pub(crate) fn leave(web: &Web, visit: &Visit, purpose: Purpose, next: &str) -> Response {
    let errand = Errand { nonce: web.school.random(), purpose, next: next.to_owned() };
    let back = web.config.address("/wechat/return");
    let mut answer = page::see_other(&(web.config.wechat_authorize)(&back, &visit.wechat_state(&errand)));
    page::add_cookie(&mut answer, Cookie::WeChatVisit.set_bytes(&errand.bytes(), visit.secure));
    page::keep_visitor(&mut answer, visit);
    answer
}

/// `GET /wechat/enter?next=`: to WeChat, which says who is there; only inside it.
pub(crate) async fn come(
    State(web): State<Web>,
    visit: Visit,
    guest: Result<Guest, Failure>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let next = next_of(&asked.next).unwrap_or("/me");
    match guest {
        Ok(_) => Ok(page::see_other(next)),
        Err(Failure::SignInFirst { .. }) if visit.in_wechat => Ok(leave(&web, &visit, Purpose::Enter, next)),
        Err(Failure::SignInFirst { .. }) => Ok(page::see_other(&sign_in::address("password", next))),
        Err(failure) => Err(failure),
    }
}

/// `GET /wechat/return?code=&state=`: who is there is known from here on, in this session or in a new one.
pub(crate) async fn come_back(
    State(web): State<Web>,
    visit: Visit,
    holder: Result<Holder, Failure>,
    client: Client,
    Query(brought): Query<Brought>,
) -> Result<Response, Failure> {
    let Some(errand) = visit.came_back_with(&brought.state) else {
        holder?;
        return Err(Failure::WeChatState);
    };
    let mut answer = match (errand.purpose, holder) {
        (Purpose::Name, holder) => name(&web, &holder?.visit, &brought.code, &errand.next).await?,
        (Purpose::Enter, Ok(_)) => page::see_other(&errand.next),
        (Purpose::Enter, Err(Failure::SignInFirst { .. })) => {
            let_in(&web, &visit, &client, &brought.code, &errand.next).await?
        }
        (Purpose::Enter, Err(failure)) => return Err(failure),
    };
    page::add_cookie(&mut answer, Cookie::WeChatVisit.clear(visit.secure));
    Ok(answer)
}

/// The WeChat user is named in this session.
async fn name(web: &Web, visit: &Visit, code: &str, next: &str) -> Result<Response, Failure> {
    let openid = web.school.wechat.openid(code).await.map_err(|fault| match fault {
        ChannelError::Refused { .. } => Failure::WeChatRefused,
        ChannelError::Unknown(_) => Failure::WeChatSilent,
    })?;
    let token = visit.session_token.as_ref().ok_or(Failure::Internal)?;
    let sealed = seal_payer(web, token, &openid).ok_or(Failure::Internal)?;
    let mut answer = page::see_other(next);
    page::add_cookie(&mut answer, Cookie::Payer.set_bytes(&sealed, visit.secure));
    Ok(answer)
}

/// A session for the holder to whom the WeChat user is bound; else on to the password, with the reason.
async fn let_in(web: &Web, visit: &Visit, client: &Client, code: &str, next: &str) -> Result<Response, Failure> {
    let tried = web.doors.code(web, client)?;
    let openid = web.school.wechat.openid(code).await;
    if !matches!(openid, Err(ChannelError::Refused { .. })) {
        tried.was_no_failure();
    }
    let Ok(openid) = openid else {
        return Ok(page::see_other(&sign_in::address("silent", next)));
    };
    let signed_in = match enter(&web.school, &openid, &visit.agent).await {
        Ok(signed_in) => signed_in,
        Err(EnterRefusal::NotBound) => return Ok(page::see_other(&sign_in::address("unbound", next))),
        Err(EnterRefusal::Unavailable(why)) => return Err(why.into()),
    };
    let sealed = seal_payer(web, &signed_in.token, &openid).ok_or(Failure::Internal)?;
    let mut answer = match signed_in.must_change {
        true => page::go_with_next("/password", next),
        false => page::see_other(next),
    };
    page::add_cookie(&mut answer, Cookie::session(Kind::WeChat, &signed_in.token, visit.secure));
    page::add_cookie(&mut answer, Cookie::Payer.set_bytes(&sealed, visit.secure));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_is_read_as_it_was_written_and_leads_to_pages_of_ours_alone() {
        for purpose in [Purpose::Name, Purpose::Enter] {
            let errand = Errand { nonce: [5; 16], purpose, next: "/me/topup".to_owned() };
            assert_eq!(Errand::read(&errand.bytes()), Some(errand));
        }
        let bytes = |purpose: u8, next: &str| [&[5; 16][..], &[purpose], next.as_bytes()].concat();
        for foreign in [bytes(3, "/me"), bytes(1, "//evil.example"), bytes(1, ""), vec![5; 16], Vec::new()] {
            assert_eq!(Errand::read(&foreign), None, "{foreign:?}");
        }
    }
}
