//! Cookies: `__Host-` and Secure in earnest, plain names without Secure on a plain-HTTP loopback.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::session::{Kind, SameSite};

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The session's token.
    Session,
    /// A token for forms of a visitor who is not signed in.
    Visitor,
    /// The WeChat user who pays, sealed for this session.
    Payer,
    /// What makes the `state` of a visit to WeChat, until the visitor is back.
    WeChatVisit,
    /// What was just done, until the next page has said so.
    Done,
    /// Language.
    Language,
    /// Light, dark or as the system says.
    Theme,
}

/// How long a chosen language or look is remembered, seconds.
const CHOICE_LIFE: u32 = 31_536_000;
/// How long a visitor may take to come back from WeChat, seconds.
const VISIT_LIFE: u32 = 600;

/// What was done is said within so many seconds, or not at all.
const NEWS_LIFE: u32 = 60;

impl Cookie {
    const fn name(self) -> &'static str {
        match self {
            Cookie::Session => "sid",
            Cookie::Visitor => "visitor",
            Cookie::Payer => "payer",
            Cookie::WeChatVisit => "wxvisit",
            Cookie::Done => "done",
            Cookie::Language => "lang",
            Cookie::Theme => "theme",
        }
    }

    /// Seconds; `None`: until the browser is closed (the session itself ends on the server).
    const fn life(self) -> Option<u32> {
        match self {
            Cookie::Session | Cookie::Visitor | Cookie::Payer => None,
            Cookie::WeChatVisit => Some(VISIT_LIFE),
            Cookie::Done => Some(NEWS_LIFE),
            Cookie::Language | Cookie::Theme => Some(CHOICE_LIFE),
        }
    }

    /// The value in a request's headers; the first one when there are several.
    pub fn read(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| self.is_named(name, secure)).map(|(_, value)| value)
    }

    /// Bytes of the value in a request's headers.
    pub fn bytes(self, headers: &HeaderMap, secure: bool) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.read(headers, secure)?).ok()
    }

    fn is_named(self, name: &str, secure: bool) -> bool {
        let bare = if secure { name.strip_prefix("__Host-") } else { Some(name) };
        bare == Some(self.name())
    }

    /// The `Set-Cookie` header of a value of letters, digits, `-` and `_`; anything else is dropped from it.
    pub fn set(self, value: &str, secure: bool) -> HeaderValue {
        self.line(value, self.life(), SameSite::Lax, secure)
    }

    /// The `Set-Cookie` header of a session of this kind.
    pub fn session(kind: Kind, token: &[u8; 32], secure: bool) -> HeaderValue {
        let token = URL_SAFE_NO_PAD.encode(token);
        Cookie::Session.line(&token, Cookie::Session.life(), kind.law().same_site, secure)
    }

    /// The `Set-Cookie` header of some bytes.
    pub fn set_bytes(self, bytes: &[u8], secure: bool) -> HeaderValue {
        self.set(&URL_SAFE_NO_PAD.encode(bytes), secure)
    }

    /// The `Set-Cookie` header that deletes it.
    pub fn clear(self, secure: bool) -> HeaderValue {
        self.line("", Some(0), SameSite::Lax, secure)
    }

    fn line(self, value: &str, life: Option<u32>, same_site: SameSite, secure: bool) -> HeaderValue {
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let value: String = value.chars().filter(plain).collect();
        let (prefix, suffix) = if secure { ("__Host-", "; Secure") } else { ("", "") };
        let life = life.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let same_site = match same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
        };
        let line = format!("{prefix}{}={value}; Path=/{life}; HttpOnly; SameSite={same_site}{suffix}", self.name());
        HeaderValue::from_str(&line).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(line: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(line).expect("a header"))])
    }

    #[test]
    fn a_cookie_is_read_by_its_whole_name() {
        let table = [
            ("sid=a", false, Some("a")),
            ("xsid=a; sid=b; sid=c", false, Some("b")),
            ("__Host-sid=a", false, None),
            ("sid=a", true, None),
            ("a=1;__Host-sid=b", true, Some("b")),
            ("sid", false, None),
        ];
        for (line, secure, value) in table {
            assert_eq!(Cookie::Session.read(&headers(line), secure), value, "{line}");
        }
    }

    #[test]
    fn a_session_s_cookie_comes_along_from_another_site_only_where_wechat_leads_back() {
        for (kind, same_site) in [
            (Kind::Holder, "Lax"),
            (Kind::WeChat, "Lax"),
            (Kind::Kiosk, "Strict"),
            (Kind::Device, "Strict"),
            (Kind::Staff, "Strict"),
        ] {
            let line = Cookie::session(kind, &[0; 32], true);
            let line = line.to_str().expect("plain text");
            assert!(line.starts_with("__Host-sid=AAAA"), "{line}");
            assert!(line.ends_with(&format!("; Path=/; HttpOnly; SameSite={same_site}; Secure")), "{kind:?}: {line}");
        }
    }

    #[test]
    fn a_cookie_in_earnest_is_bound_to_the_host() {
        assert_eq!(
            Cookie::Session.set_bytes(&[0xFB; 3], true),
            "__Host-sid=-_v7; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(Cookie::Session.set("a", false), "sid=a; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(Cookie::Payer.clear(false), "payer=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert_eq!(
            Cookie::Theme.set("da;rk\r\n", false),
            "theme=dark; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
        );
    }
}
