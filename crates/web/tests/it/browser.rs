//! A browser as the router sees it: keeps cookies, sends `Origin`, fills in the forms of the pages it was given.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt;

use crate::rig::{BASE, PASSWORD, Rig};

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// A header, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where a redirect leads.
    pub fn location(&self) -> &str {
        assert!(self.status.is_redirection(), "{} is no redirect: {}", self.status, self.text());
        self.header("location")
    }

    /// The value of a hidden field.
    pub fn hidden(&self, name: &str) -> String {
        let text = self.text();
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) = text.split_once(&mark).unwrap_or_else(|| panic!("no field {name} in {text}"));
        rest.split('"').next().expect("a quote").to_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|fault| panic!("{fault}: {}", self.text()))
    }

    /// Asserts that the page says this.
    pub fn says(&self, words: &str) {
        assert!(self.text().contains(words), "{words:?} is not in {}", self.text());
    }
}

/// One browser.
#[derive(Clone)]
pub struct Browser {
    app: Router,
    jar: BTreeMap<String, String>,
    /// Headers of every request.
    pub headers: Vec<(&'static str, String)>,
}

impl Browser {
    /// A fresh one, in Chinese.
    pub fn new(rig: &Rig) -> Browser {
        let headers = vec![("accept-language", "zh-CN".to_owned())];
        Browser { app: rig.app.clone(), jar: BTreeMap::new(), headers }
    }

    /// One that is inside WeChat.
    pub fn in_wechat(mut self) -> Browser {
        self.headers.push(("user-agent", "Mozilla/5.0 (Linux; Android 10) MicroMessenger/8.0".to_owned()));
        self
    }

    /// No longer inside WeChat; cookies stay.
    pub fn on_desk(mut self) -> Browser {
        self.headers.retain(|(name, _)| *name != "user-agent");
        self
    }

    /// On a phone, outside WeChat.
    pub fn on_phone(mut self) -> Browser {
        self.headers
            .push(("user-agent", "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36".to_owned()));
        self
    }

    /// Signed in as `number`, with a password of its own already.
    pub async fn signed_in(rig: &Rig, number: &str, first_password: &str) -> Browser {
        let mut browser = Browser::new(rig);
        let entered = browser.fill("/sign-in", &[("number", number), ("password", first_password)]).await;
        assert_eq!(entered.location(), "/password");
        let fields = [("old", first_password), ("new", PASSWORD), ("again", PASSWORD)];
        let changed = browser.fill("/password", &fields).await;
        assert_eq!(changed.location(), "/me", "{}", changed.text());
        browser
    }

    /// Whoever pays is known in this session.
    pub async fn known_to_wechat(self) -> Browser {
        let mut browser = self.in_wechat();
        let leave = browser.get("/me/topup").await;
        let state = leave.location().rsplit_once("state=").expect("a state").1.to_owned();
        let back = browser.get(&format!("/wechat/return?code=abc&state={state}")).await;
        assert_eq!(back.location(), "/me/topup");
        browser
    }

    /// Sends a request as it is, with the cookies and headers of this browser, and keeps the cookies of the answer.
    pub async fn send(&mut self, method: Method, path: &str, more: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let jar: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !jar.is_empty() {
            request = request.header(header::COOKIE, jar.join("; "));
        }
        let request = request.body(body.into()).expect("a request");
        let answer = self.app.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, rest) = cookie.to_str().expect("text").split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            if rest.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        crate::contract::check(&method, path, parts.status.as_u16(), &parts.headers, &bytes);
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// Opens a page.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    /// Posts fields from a page of ours.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let headers = [("origin", BASE), ("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &headers, encode(fields)).await
    }

    /// Opens a page and posts its form to the same address, with the form's token.
    pub async fn fill(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.get(path).await.hidden("token");
        let mut all = vec![("token", token.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    /// Puts a cookie into the jar.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.jar.insert(name.to_owned(), value.to_owned());
    }

    /// Loses a cookie.
    pub fn lose_cookie(&mut self, name: &str) {
        self.jar.remove(name);
    }
}

/// Fields as a browser encodes them.
pub fn encode(fields: &[(&str, &str)]) -> String {
    let part = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", part(name), part(value))).collect::<Vec<_>>().join("&")
}
