//! What a browser says of itself, in two words: enough for a holder to know the own phone again in a list.

use ledger::row_digest;

/// A browser, as far as it is told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Browser {
    /// Any other, or no browser.
    #[default]
    Other,
    /// The one inside WeChat.
    WeChat,
    /// The one inside Alipay.
    Alipay,
    /// Microsoft Edge.
    Edge,
    /// Firefox.
    Firefox,
    /// Chrome or one built on it.
    Chrome,
    /// Safari.
    Safari,
}

/// A system, as far as it is told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// Any other.
    #[default]
    Other,
    /// HarmonyOS.
    Harmony,
    /// Android.
    Android,
    /// iPhone.
    IPhone,
    /// iPad.
    IPad,
    /// Windows.
    Windows,
    /// macOS.
    Mac,
    /// Linux.
    Linux,
}

/// What is kept of a `User-Agent`. Its own text is not: it is anybody's invention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// Which browser.
    pub browser: Browser,
    /// On which system.
    pub system: System,
    /// Hash of the whole text, by which two of the same kind are told apart.
    pub hash: [u8; 16],
}

/// The first mark that stands in the text decides: those that imitate others come before the imitated.
const BROWSERS: [(&str, Browser); 9] = [
    ("MicroMessenger", Browser::WeChat),
    ("AlipayClient", Browser::Alipay),
    ("Edg/", Browser::Edge),
    ("EdgA/", Browser::Edge),
    ("Firefox/", Browser::Firefox),
    ("FxiOS/", Browser::Firefox),
    ("CriOS/", Browser::Chrome),
    ("Chrome/", Browser::Chrome),
    ("Safari/", Browser::Safari),
];
const SYSTEMS: [(&str, System); 8] = [
    ("OpenHarmony", System::Harmony),
    ("HarmonyOS", System::Harmony),
    ("Android", System::Android),
    ("iPad", System::IPad),
    ("iPhone", System::IPhone),
    ("Windows", System::Windows),
    ("Macintosh", System::Mac),
    ("Linux", System::Linux),
];

fn first<T: Copy + Default, const N: usize>(text: &str, marks: [(&str, T); N]) -> T {
    marks.into_iter().find(|(mark, _)| text.contains(mark)).map(|(_, what)| what).unwrap_or_default()
}

impl Agent {
    /// What a `User-Agent` says; `Other` where it says nothing that is known.
    pub fn of(user_agent: &str) -> Agent {
        Agent {
            browser: first(user_agent, BROWSERS),
            system: first(user_agent, SYSTEMS),
            hash: row_digest("user agent", user_agent.as_bytes(), None).key,
        }
    }

    /// Short names of browser and system, in Chinese and in English, such as `Chrome` and `Android`; `None` for what is not
    /// known.
    pub const fn names(&self) -> (Option<(&'static str, &'static str)>, Option<&'static str>) {
        let browser = match self.browser {
            Browser::Other => None,
            Browser::WeChat => Some(("微信", "WeChat")),
            Browser::Alipay => Some(("支付宝", "Alipay")),
            Browser::Edge => Some(("Edge", "Edge")),
            Browser::Firefox => Some(("Firefox", "Firefox")),
            Browser::Chrome => Some(("Chrome", "Chrome")),
            Browser::Safari => Some(("Safari", "Safari")),
        };
        let system = match self.system {
            System::Other => None,
            System::Harmony => Some("HarmonyOS"),
            System::Android => Some("Android"),
            System::IPhone => Some("iPhone"),
            System::IPad => Some("iPad"),
            System::Windows => Some("Windows"),
            System::Mac => Some("macOS"),
            System::Linux => Some("Linux"),
        };
        (browser, system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_systems_are_told_by_what_they_say() {
        use Browser as B;
        use System as S;
        let table = [
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
                B::Chrome,
                S::Android,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1",
                B::Safari,
                S::IPhone,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.49",
                B::WeChat,
                S::IPhone,
            ),
            ("Mozilla/5.0 (Linux; Android 10; HarmonyOS) Chrome/99.0 Mobile Safari/537.36", B::Chrome, S::Harmony),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0.0.0 Safari/537.36 Edg/126.0", B::Edge, S::Windows),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) CriOS/126.0 Mobile/15E148 Safari/604.1",
                B::Chrome,
                S::IPad,
            ),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14.5; rv:127.0) Gecko/20100101 Firefox/127.0", B::Firefox, S::Mac),
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", B::Chrome, S::Linux),
            ("curl/8.5", B::Other, S::Other),
            ("<script>alert(1)</script>", B::Other, S::Other),
            ("", B::Other, S::Other),
        ];
        for (text, browser, system) in table {
            let agent = Agent::of(text);
            assert_eq!((agent.browser, agent.system), (browser, system), "{text}");
        }
        assert_ne!(Agent::of("a").hash, Agent::of("b").hash);
        assert_eq!(Agent::of("a"), Agent::of("a"));
    }
}
