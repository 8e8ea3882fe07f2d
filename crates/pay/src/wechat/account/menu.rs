//! The menu under the official account's conversation.

use serde::Serialize;

use super::{AccountFault, OfficialAccount};
use crate::wechat::call::json;
use crate::wechat::channel::is_web_address;

/// Why a menu cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MenuFault {
    /// None, more than three at the top or more than five below one.
    #[error("a menu has 1 to 3 buttons, and each 1 to 5 below it")]
    Count,
    /// A name is empty or too long.
    #[error("a name has at most 16 bytes at the top (5 Chinese characters) and 60 below")]
    Name,
    /// An address is not https, or longer than 1024 bytes.
    #[error("an address must be https, at most 1024 bytes")]
    Address,
}

/// A button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Button {
    /// Opens a page inside WeChat.
    View {
        /// Always `view`.
        #[serde(rename = "type")]
        kind: &'static str,
        /// What stands on it.
        name: String,
        /// The page.
        url: String,
    },
    /// Opens a list of buttons.
    List {
        /// What stands on it.
        name: String,
        /// The buttons, which open pages.
        sub_button: Vec<Button>,
    },
}

impl Button {
    /// A button that opens `url`.
    pub fn view(name: &str, url: &str) -> Button {
        Button::View { kind: "view", name: name.to_owned(), url: url.to_owned() }
    }

    fn check(&self, most: usize) -> Result<(), MenuFault> {
        let (Button::View { name, .. } | Button::List { name, .. }) = self;
        if name.is_empty() || name.len() > most {
            return Err(MenuFault::Name);
        }
        match self {
            Button::View { url, .. } if url.len() <= 1024 && is_web_address(url) => Ok(()),
            Button::View { .. } => Err(MenuFault::Address),
            Button::List { sub_button, .. } => {
                let nested = sub_button.iter().any(|button| matches!(button, Button::List { .. }));
                if nested || !(1..=5).contains(&sub_button.len()) {
                    return Err(MenuFault::Count);
                }
                sub_button.iter().try_for_each(|button| button.check(60))
            }
        }
    }
}

/// A menu that the service takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Menu {
    button: Vec<Button>,
}

impl Menu {
    /// A menu of these buttons. Errors: [`MenuFault`], of the first button at fault.
    pub fn new(button: Vec<Button>) -> Result<Menu, MenuFault> {
        if !(1..=3).contains(&button.len()) {
            return Err(MenuFault::Count);
        }
        button.iter().try_for_each(|button| button.check(16))?;
        Ok(Menu { button })
    }

    /// The campus card's menu: 校园卡, and below it 卡片充值, which opens `top_up` (R23).
    pub fn campus_card(top_up: &str) -> Result<Menu, MenuFault> {
        let below = vec![Button::view("卡片充值", top_up)];
        Menu::new(vec![Button::List { name: "校园卡".to_owned(), sub_button: below }])
    }
}

impl OfficialAccount {
    /// Puts `menu` in the place of the one that is there. Followers see it within a day, new ones at once.
    ///
    /// Errors: [`AccountFault`]. Repeats: the same menu stays.
    /// Source: official account, custom menu.
    pub async fn create_menu(&self, menu: &Menu) -> Result<(), AccountFault> {
        let body = json(menu).map_err(super::unknown)?;
        self.call("/cgi-bin/menu/create", &body).await.map(drop)
    }
}
