//! Where the sandbox may send a browser.

use reqwest::Url;

/// The hosts that a browser may be sent to, as the configuration names them: `school.example` (any port) or
/// `127.0.0.1:8080` (this port alone).
#[derive(Clone)]
pub(crate) struct Redirects {
    hosts: Vec<String>,
}

impl Redirects {
    pub(crate) fn to(hosts: &[String]) -> Redirects {
        Redirects { hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// The address behind `text` if a browser may be sent there.
    ///
    /// Without this fence anyone could make the sandbox's address lead to a page of their own.
    pub(crate) fn allowed(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        let host = url.host_str()?;
        let with_port = format!("{host}:{}", url.port_or_known_default()?);
        let known = self.hosts.iter().any(|entry| entry == host || *entry == with_port);
        (plain && known).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_on_named_hosts_pass() {
        let redirects = Redirects::to(&["127.0.0.1:8080".into(), "Pay.School.example".into(), "[::1]".into()]);
        let table = [
            ("http://127.0.0.1:8080/pay/1?a=b", true),
            ("https://evilpay.school.example/", false),
            ("https://a.pay.school.example/", false),
            ("https://pay.school.example/x", true),
            ("http://pay.school.example:9000/x", true),
            ("http://[::1]:99/", true),
            ("http://127.0.0.1:8081/pay/1", false),
            ("http://127.0.0.1/", false),
            ("https://evil.example/", false),
            ("https://pay.school.example.evil.example/", false),
            ("https://pay.school.example@evil.example/", false),
            ("https://user@pay.school.example/", false),
            ("javascript:alert(1)", false),
            ("ftp://pay.school.example/", false),
            ("//pay.school.example/", false),
            ("/pay/1", false),
            ("", false),
        ];
        for (text, expected) in table {
            assert_eq!(redirects.allowed(text).is_some(), expected, "{text:?}");
        }
    }
}
