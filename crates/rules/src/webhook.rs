//! Webhooks: systems of the school that are told of events. When an answer counts, when to try again, when to give up.

use crate::words::Words;

/// Events in one delivery, at most.
pub const BATCH: u32 = 100;
/// Webhooks of a school, at most.
pub const MOST: u32 = 32;
/// A secret that was replaced signs beside its successor for so long, seconds.
pub const OLD_SECRET: i64 = 24 * 3600;
/// After so many deliveries running that were not taken, nothing is sent until a person says so. The waits between them make
/// three days. Failures are counted, not days: while the server is off nothing was tried, and nothing says that the receiver is
/// gone.
pub const MOST_FAILURES: u32 = 80;

/// Whether a status says that a delivery was taken: every 2xx, and nothing else. A redirect is not followed.
pub const fn taken(status: u16) -> bool {
    status >= 200 && status <= 299
}

/// How long to wait after so many deliveries running that were not taken, seconds.
pub const fn wait(failures: u32) -> i64 {
    match failures {
        0 | 1 => 10,
        2 => 30,
        3 => 60,
        4 => 120,
        5 => 300,
        6 => 600,
        7 => 1800,
        _ => 3600,
    }
}

/// Whether to give up on a receiver that has not taken so many deliveries running.
pub const fn gives_up(failures: u32) -> bool {
    failures >= MOST_FAILURES
}

/// Why a webhook is not taken; the first that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The name is not of the form.
    Name,
    /// The address is not of the form.
    Address,
    /// There is one of that name.
    NameTaken,
    /// There are too many.
    TooMany,
    /// There is none of that name.
    Unknown,
    /// It is not paused.
    NotPaused,
    /// No event stands at that place.
    NoSuchPlace,
}

impl Refusal {
    /// What the operator is told.
    pub fn words(&self) -> Words {
        match self {
            Refusal::Name => Words::new(
                "WEBHOOK_NAME",
                "名称只能用 1 到 32 个小写字母、数字和连字符，例如 campus-app。",
                "A name has 1 to 32 small letters, digits and hyphens, such as campus-app.",
            ),
            Refusal::Address => Words::new(
                "WEBHOOK_ADDRESS",
                "地址须以 https:// 开头（仅本机可用 http://），不得含用户名或井号，最长 500 个字符。",
                "An address begins with https:// (http:// on this machine alone), has no user name and no #, and at most \
                 500 characters.",
            ),
            Refusal::NameTaken => Words::new(
                "WEBHOOK_NAME_TAKEN",
                "已有同名的推送；请换一个名称，或先移除原有的。",
                "There is a webhook of this name; choose another name, or remove that one first.",
            ),
            Refusal::TooMany => Words::new(
                "WEBHOOK_TOO_MANY",
                format!("最多可设 {MOST} 个推送；请先移除不用的。"),
                format!("There are {MOST} webhooks, which is the most; remove one that is not used."),
            ),
            Refusal::Unknown => Words::new(
                "WEBHOOK_UNKNOWN",
                "没有这个名称的推送；请用 onecard webhook list 查看。",
                "There is no webhook of this name; `onecard webhook list` prints them.",
            ),
            Refusal::NotPaused => Words::new(
                "WEBHOOK_NOT_PAUSED",
                "此推送没有暂停，无需恢复。",
                "This webhook is not paused; there is nothing to resume.",
            ),
            Refusal::NoSuchPlace => Words::new(
                "EVENT_UNKNOWN",
                "账本中没有此编号的事件；请核对编号。",
                "The book has no event of this number; please check it.",
            ),
        }
    }
}

/// Whether a name is of the form. Error: [`Refusal::Name`].
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let form = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=32).contains(&name.len()) && name.bytes().all(form) && !name.starts_with('-');
    if fits { Ok(()) } else { Err(Refusal::Name) }
}

/// The host of an address that events may go to, in small letters: `https` anywhere, `http` to this machine alone.
///
/// Whether the school's operator allows that host is another question. Error: [`Refusal::Address`].
pub fn host(address: &str) -> Result<String, Refusal> {
    host_of(address).ok_or(Refusal::Address)
}

fn host_of(address: &str) -> Option<String> {
    let graphic = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'@' | b'#' | b'\\' | b'"' | b'<' | b'>');
    if address.len() > 500 || !address.bytes().all(graphic) {
        return None;
    }
    let (secure, rest) = match address.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, address.strip_prefix("http://")?),
    };
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (inside, after) = inner.split_once(']')?;
            let six = inside.contains(':') && inside.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
            (format!("[{}]", six.then_some(inside)?), after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => {
            let (name, port) = authority.split_once(':').unwrap_or((authority, ""));
            let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            let fits = !name.is_empty() && name.bytes().all(part);
            (fits.then_some(name)?.to_owned(), port)
        }
    };
    let host = host.to_ascii_lowercase();
    let numbered = port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0);
    let plain = matches!(host.as_str(), "127.0.0.1" | "[::1]" | "localhost");
    (numbered && (secure || plain)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_tried_for_three_days_ever_more_seldom() {
        let (mut failures, mut waited) = (1, 0);
        while !gives_up(failures) {
            assert!(wait(failures) >= wait(failures - 1), "{failures}");
            waited += wait(failures);
            failures += 1;
        }
        assert_eq!((wait(1), wait(failures), failures), (10, 3600, MOST_FAILURES));
        let days = 3 * 24 * 3600;
        assert!((days..days + 3600).contains(&waited), "{waited}: with one wait less they would not make three days");
    }

    #[test]
    fn only_2xx_says_that_a_delivery_was_taken() {
        for (status, expected) in
            [(199, false), (200, true), (204, true), (299, true), (301, false), (410, false), (500, false)]
        {
            assert_eq!(taken(status), expected, "{status}");
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "campus-app", "0", &"x".repeat(32)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", "A", "a b", "门户", &"x".repeat(33)] {
            assert_eq!(check_name(name), Err(Refusal::Name), "{name}");
        }
    }

    #[test]
    fn events_go_out_sealed_or_stay_on_this_machine() {
        let table = [
            ("https://portal.example.edu.cn/hooks/card", Some("portal.example.edu.cn")),
            ("https://Portal.Example:8443/?a=1", Some("portal.example")),
            ("https://10.1.2.3/x", Some("10.1.2.3")),
            ("https://[2001:db8::1]:443/x", Some("[2001:db8::1]")),
            ("http://127.0.0.1:9000/hook", Some("127.0.0.1")),
            ("http://localhost/hook", Some("localhost")),
            ("http://[::1]:9000", Some("[::1]")),
            ("http://portal.example.edu.cn/", None),
            ("http://127.0.0.1.evil.example/", None),
            ("http://127.0.0.1@evil.example/", None),
            ("https://user:pass@portal.example/", None),
            ("https://portal.example/#part", None),
            ("https://portal.example:0/", None),
            ("https://portal.example:99999/", None),
            ("https://por tal/", None),
            ("https://portal\\.example/", None),
            ("https:///x", None),
            ("https://[::1/x", None),
            ("https://[::1]x/", None),
            ("https://门户.example/", None),
            ("ftp://portal.example/", None),
            ("", None),
        ];
        for (address, expected) in table {
            assert_eq!(host(address).ok().as_deref(), expected, "{address}");
        }
        assert!(host(&format!("https://a.example/{}", "x".repeat(500))).is_err());
    }
}
