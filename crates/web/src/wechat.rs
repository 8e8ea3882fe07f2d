//! Asking WeChat who pays: silent OAuth2 of the official account (R27).
//!
//! The openid is kept in a cookie that is sealed for one session, not in the server's memory: it outlives a restart, works
//! with several servers, opens in no other session and ends with its own. Nobody but the server can read or make it.

use axum::extract::{Query, State};
use axum::response::Response;
use flows::ports::ChannelError;
use serde::Deserialize;

use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::Failure;
use crate::page;
use crate::visit::{Holder, Visit};

/// What WeChat brings back.
#[derive(Deserialize)]
pub(crate) struct Brought {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Sends the browser to WeChat, with a state that only this session can bring back, once.
pub(crate) fn leave(web: &Web, visit: &Visit) -> Response {
    let nonce: [u8; 16] = web.school.random();
    let back = web.config.address("/wechat/return");
    let mut answer = page::see_other(&(web.config.wechat_authorize)(&back, &visit.wechat_state(&nonce)));
    page::add_cookie(&mut answer, Cookie::WeChatVisit.set_bytes(&nonce, visit.secure));
    answer
}

/// `GET /wechat/return?code=&state=`: the payer is known from here on, in this session.
pub(crate) async fn come_back(
    State(web): State<Web>,
    holder: Holder,
    Query(brought): Query<Brought>,
) -> Result<Response, Failure> {
    let visit = &holder.visit;
    if !visit.came_back_with(&brought.state) {
        return Err(Failure::WeChatState);
    }
    let openid = web.school.wechat.openid(&brought.code).await.map_err(|fault| match fault {
        ChannelError::Refused { .. } => Failure::WeChatRefused,
        ChannelError::Unknown(_) => Failure::WeChatSilent,
    })?;
    let sealed = visit.seal_payer(&web, &openid).ok_or(Failure::Internal)?;
    let mut answer = page::see_other("/me/topup");
    page::add_cookie(&mut answer, Cookie::Payer.set_bytes(&sealed, visit.secure));
    page::add_cookie(&mut answer, Cookie::WeChatVisit.clear(visit.secure));
    Ok(answer)
}
