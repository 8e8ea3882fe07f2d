//! What the pages are told about the place they are served at.

use std::sync::Arc;

use flows::School;
use report::document::typeface::Typefaces;

use crate::api::keyed::Turns;
use crate::doors::Doors;
use crate::guide::GuideConfig;
use crate::headers::Policies;
use crate::text::Language;

/// Makes the address at which WeChat tells who the visitor is, from our return address and the state to bring back.
pub type Authorize = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// Everything a handler may use. Cheap to clone: every request does it several times.
#[derive(Clone)]
pub struct Web {
    /// The school.
    pub school: Arc<School>,
    /// Where and how the pages are served.
    pub config: Arc<WebConfig>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) doors: Arc<Doors>,
}

impl Web {
    /// The pages of `school`.
    pub fn new(school: School, config: WebConfig) -> Web {
        let policies = Arc::new(Policies::of(&config));
        Web {
            school: Arc::new(school),
            config: Arc::new(config),
            policies,
            turns: Arc::default(),
            doors: Arc::default(),
        }
    }
}

/// Where and how the pages are served.
#[derive(Clone)]
pub struct WebConfig {
    /// Our own address as browsers write an origin: scheme, host in small letters, port unless it is the usual one; no
    /// slash at the end. Unsafe requests must come from pages of this origin.
    pub base_url: String,
    /// Cookies are `__Host-` and `Secure`. Off only on plain-HTTP loopback.
    pub secure_cookies: bool,
    /// Name of the school in Chinese.
    pub school_name_zh: String,
    /// Name of the school in English.
    pub school_name_en: String,
    /// Where WeChat tells who the visitor is.
    pub wechat_authorize: Authorize,
    /// WeChat Pay may be called from a phone's browser (H5).
    pub pay_in_phone_browser: bool,
    /// WeChat Pay may be called by a code on another screen (Native).
    pub pay_by_code: bool,
    /// Header in which a proxy before us names the browser's network address, the last one counting; none when browsers come
    /// in directly.
    pub client_header: Option<String>,
    /// Base address of the sandbox's cashier; set in the demo, where nobody has WeChat. The pay page links to it.
    pub cashier: Option<String>,
    /// Origins of provider cashiers that a form on a pay page may lead to.
    pub form_action_hosts: Vec<String>,
    /// Address of the demo's start page; set in the demo.
    pub demo_link: Option<String>,
    /// Files by which WeChat checks that a domain is ours: name such as `MP_verify_x.txt`, and content.
    pub domain_checks: Vec<(String, String)>,
    /// What the campus says in the guide beside the settings.
    pub guide: GuideConfig,
    /// The font of PDF documents.
    pub typefaces: Typefaces,
}

impl WebConfig {
    /// The school's name in a language.
    pub fn school_name(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.school_name_zh,
            Language::English => &self.school_name_en,
        }
    }

    /// The full address of one of our paths.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
}
