//! Shapes of icons: paths on a field of 24 by 24, drawn with a line of the text's colour. No emoji, no icon font.

pub(crate) const BACK: &str = "M15 5l-7 7 7 7";
pub(crate) const NEXT: &str = "M9 5l7 7-7 7";
pub(crate) const CARD: &str = "M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM3 10h18M7 15h3";
pub(crate) const TAP: &str =
    "M6.5 9.5a4 4 0 0 1 0 5M10 7a8 8 0 0 1 0 10M13.5 4.5a12 12 0 0 1 0 15M17 2.5a16 16 0 0 1 0 19";
pub(crate) const WALLET: &str =
    "M18 8V5H6a2.5 2.5 0 0 0 0 5h13a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a2.5 2.5 0 0 1-2.5-2.5v-9M16 14.5h.01";
pub(crate) const CLOCK: &str = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7.5V12l3 2";
pub(crate) const SYNC: &str =
    "M4 12a8 8 0 0 1 13.7-5.6L20 8.5M20 4v4.5h-4.5M20 12a8 8 0 0 1-13.7 5.6L4 15.5M4 20v-4.5h4.5";
pub(crate) const CHECK: &str = "M5 12.5l4.5 4.5L19 7.5";
pub(crate) const ALERT: &str = "M12 4l9 16H3zM12 10v4.5M12 17.5h.01";
pub(crate) const INFO: &str = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.5M12 7.8h.01";
pub(crate) const IN: &str = "M12 4.5v14M6 12.5l6 6 6-6";
pub(crate) const OUT: &str = "M12 19.5v-14M6 11.5l6-6 6 6";
pub(crate) const LIST: &str = "M7 3h10a1 1 0 0 1 1 1v17l-3-2-3 2-3-2-3 2V4a1 1 0 0 1 1-1zM9.5 8h5M9.5 12h5";
pub(crate) const KEY: &str = "M8 10.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM11.2 11.8L20 3M16.5 6.5L19 9";
pub(crate) const DOOR: &str = "M10 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h4M14.5 8l4 4-4 4M18 12H10";
pub(crate) const LINK: &str = "M10 13.5a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7l-1.3 1.3M14 10.5a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7l1.3-1.3";
pub(crate) const SUN: &str = "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4";
pub(crate) const MOON: &str = "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z";
pub(crate) const AUTO: &str = "M12 3.5a8.5 8.5 0 1 0 0 17zM12 3.5a8.5 8.5 0 0 1 0 17";
pub(crate) const RETURN: &str = "M9 14L4 9l5-5M4 9h10a5.5 5.5 0 0 1 0 11h-4";
pub(crate) const CALENDAR: &str =
    "M5 5h14a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM4 10h16M8.5 3v4M15.5 3v4";
pub(crate) const CHART: &str = "M4 20h16M7.5 16.5v-4M12 16.5v-10M16.5 16.5v-7";
pub(crate) const MAIL: &str =
    "M4 6h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1zM3.5 7l8.5 6.5L20.5 7";
pub(crate) const SHIELD: &str = "M12 3l7.5 3v5.5c0 4.5-3 7.5-7.5 9.5-4.5-2-7.5-5-7.5-9.5V6zM9 12l2.2 2.2L15.2 10";
pub(crate) const BOOK: &str = "M12 6.5C10 5 7 4.5 4 5v13c3-.5 6 0 8 1.5 2-1.5 5-2 8-1.5V5c-3-.5-6 0-8 1.5zM12 6.5v13";
