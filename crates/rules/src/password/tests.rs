use super::*;
use crate::limits::Change;

const CARD_X: &str = "33010220050315218X";
const CARD_0: &str = "330102200503152180";
const NUMBER: &str = "2026013579";

fn holder(document: &'static str, identity_card: bool) -> Holder<'static> {
    Holder { number: NUMBER, document, identity_card }
}

fn limits(values: &[(Setting, i64)]) -> Limits {
    let change = |(setting, value): &(Setting, i64)| {
        let at = Micros::default();
        Change { setting: *setting, value: *value, from: at, set_at: at, set_by: "test".into() }
    };
    Limits::at(&values.iter().map(change).collect::<Vec<_>>(), Micros::default())
}

#[test]
fn r25_the_first_password_follows_each_rule_for_an_x() {
    let all = ["15218X", "15218x", "152180", "315218", "15218", "152181", "315218X", "", "152180 "];
    let table = [
        (CARD_X, true, XRule::Either, &["15218X", "15218x", "152180"][..]),
        (CARD_X, true, XRule::Zero, &["152180"]),
        (CARD_X, true, XRule::Keep, &["15218X", "15218x"]),
        (CARD_X, true, XRule::Shift, &["315218"]),
        (CARD_0, true, XRule::Either, &["152180"]),
        (CARD_0, true, XRule::Zero, &["152180"]),
        (CARD_0, true, XRule::Keep, &["152180"]),
        (CARD_0, true, XRule::Shift, &["152180"]),
    ];
    for (document, card, rule, right) in table {
        let holder = holder(document, card);
        assert_eq!(initial(&holder, rule), right, "{document} {rule:?}");
        for typed in all {
            assert_eq!(fits_initial(typed, &holder, rule), right.contains(&typed), "{typed:?} {document} {rule:?}");
        }
    }
}

#[test]
fn r25_a_passport_gives_its_last_six_digits_padded() {
    let table = [
        ("E12345678", "345678"),
        ("AB1234", "001234"),
        ("12345X", "012345"),
        ("1A2B3C4D5E6F7", "234567"),
        ("ABCDEFG", "000000"),
    ];
    for (document, right) in table {
        for rule in [XRule::Either, XRule::Zero, XRule::Keep, XRule::Shift] {
            assert_eq!(initial(&holder(document, false), rule), [right], "{document} {rule:?}");
        }
    }
}

#[test]
fn r25_the_setting_names_the_rule_and_the_hint_tells_it() {
    let rules = [(0, XRule::Either), (1, XRule::Zero), (2, XRule::Keep), (3, XRule::Shift)];
    let mut hints = std::collections::BTreeSet::new();
    for (value, rule) in rules {
        assert_eq!(XRule::of(&limits(&[(Setting::InitialPasswordXRule, value)])), rule);
        hints.insert(initial_hint(rule).zh);
    }
    assert_eq!(hints.len(), rules.len());
}

#[test]
fn r77_the_fifth_try_locks_for_exactly_half_an_hour() {
    let limits = limits(&[]);
    let start = Micros::from_seconds(10_000);
    let mut door = Password { secret: Secret::Initial, tries: 0, locked_until: None };
    for count in 1..=5 {
        door = try_now(&door, &limits, start).expect("the door is open");
        assert_eq!((door.tries, door.locked_until.is_some()), (count, count == 5));
    }
    let until = start.after_seconds(1_800);
    let table = [
        ("at once", start, None),
        ("a moment before", Micros::new(until.get() - 1), None),
        ("at the end", until, Some(1)),
        ("long after", until.after_seconds(90_000), Some(1)),
    ];
    for (name, now, open) in table {
        match (try_now(&door, &limits, now), open) {
            (Ok(counted), Some(tries)) => assert_eq!((counted.tries, counted.locked_until), (tries, None), "{name}"),
            (Err(locked), None) => {
                assert_eq!((locked.until, locked.counted.tries), (until, 6), "{name}");
                assert_eq!(locked.counted.locked_until, Some(until), "a try at a locked door does not prolong it");
            }
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
    assert_eq!(right(&door), Password { secret: Secret::Initial, tries: 0, locked_until: None });
}

#[test]
fn r77_the_count_never_wraps_and_the_limits_are_those_of_the_moment() {
    let start = Micros::from_seconds(10_000);
    let strict = limits(&[(Setting::PasswordTries, 1), (Setting::PasswordLock, 60)]);
    let door = Password { secret: Secret::Initial, tries: 254, locked_until: None };
    let locked = try_now(&door, &strict, start).expect("the last try is still checked");
    assert_eq!((locked.tries, locked.locked_until), (255, Some(start.after_seconds(60))));
    let again = try_now(&locked, &strict, start).expect_err("locked");
    assert_eq!(again.counted.tries, 255);
    let table = [(0, "02:47"), (20_000_000, "02:47"), (20_000_001, "02:48")];
    for (more, open) in table {
        let until = Micros::new(Micros::from_seconds(67_600).get() + more);
        let words = Locked { counted: locked.clone(), until }.words();
        assert!(words.zh.contains(open) && words.en.contains(open), "{more}: {words:?}");
    }
}

#[test]
fn r77_the_reminder_comes_when_the_password_is_older_than_its_age() {
    let limits = limits(&[]);
    let set_at = Micros::from_seconds(1_000);
    let own = Password { secret: Secret::Own { hash: "h".into(), set_at }, tries: 0, locked_until: None };
    let first = Password { secret: Secret::Initial, tries: 0, locked_until: None };
    let old = set_at.after_seconds(7_776_000);
    assert!(!reminder(&own, &limits, old));
    assert!(reminder(&own, &limits, Micros::new(old.get() + 1)));
    assert!(reminder(&first, &limits, set_at));
}

#[test]
fn r26_only_the_first_password_must_be_changed_and_only_if_the_campus_wants_it() {
    let first = Password { secret: Secret::Initial, tries: 3, locked_until: None };
    let own = changed(&first, "h".into(), Micros::new(7));
    assert_eq!(
        own,
        Password { secret: Secret::Own { hash: "h".into(), set_at: Micros::new(7) }, tries: 0, locked_until: None }
    );
    let free = limits(&[(Setting::InitialPasswordForceChange, 0)]);
    let table = [(&first, limits(&[]), true), (&own, limits(&[]), false), (&first, free, false)];
    for (password, limits, expected) in table {
        assert_eq!(must_change(password, &limits), expected, "{password:?}");
    }
}

fn check_table(table: &[(&str, Result<(), Weak>)]) {
    for (new, expected) in table {
        assert_eq!(check_new(new, "oldOne!7", &holder(CARD_X, true)), *expected, "{new:?}");
    }
}

#[test]
fn r77_a_password_that_anyone_could_guess_is_refused_with_its_reason() {
    let long = "Vq7".repeat(21);
    let longer = format!("{long}mZ");
    let table: &[(&str, Result<(), Weak>)] = &[
        ("", Err(Weak::TooShort)),
        ("8$kQz", Err(Weak::TooShort)),
        ("密码六位字", Err(Weak::TooShort)),
        (&longer, Err(Weak::TooLong)),
        ("82\t649", Err(Weak::Character)),
        ("82\u{3000}6493", Err(Weak::Character)),
        ("82\u{200B}6493", Err(Weak::Character)),
        ("oldOne!7", Err(Weak::SameAsOld)),
        ("111111", Err(Weak::OneCharacter)),
        ("aAaAaA", Err(Weak::OneCharacter)),
        ("      ", Err(Weak::OneCharacter)),
        ("１１１１１１", Err(Weak::OneCharacter)),
        ("123456", Err(Weak::Run)),
        ("890123", Err(Weak::Run)),
        ("987654321", Err(Weak::Run)),
        ("13579135", Err(Weak::Run)),
        ("680246", Err(Weak::Run)),
        ("147258369", Err(Weak::Run)),
        ("abcdefg", Err(Weak::Run)),
        ("ABC123", Err(Weak::Run)),
        ("zyxwvu", Err(Weak::Run)),
        ("666777", Err(Weak::Run)),
        ("１２３４５６", Err(Weak::Run)),
        ("121212", Err(Weak::Pattern)),
        ("1818181", Err(Weak::Pattern)),
        ("829829", Err(Weak::Pattern)),
        ("kqzkqz", Err(Weak::Pattern)),
        ("779922", Err(Weak::Pattern)),
        ("829928", Err(Weak::Pattern)),
        ("828228", Err(Weak::Pattern)),
        ("passw0rd", Err(Weak::Common)),
        ("QWERTY", Err(Weak::Common)),
        ("5201314", Err(Weak::Common)),
        ("159357", Err(Weak::Common)),
        ("password1", Err(Weak::Common)),
        ("qwerty123", Err(Weak::Common)),
        ("1q2w3e4r", Err(Weak::Common)),
        ("1234qwer", Err(Weak::Common)),
        ("a123456789", Err(Weak::Common)),
        ("qq123456", Err(Weak::Common)),
        ("123456aa", Err(Weak::Common)),
        ("zxcvbnm123", Err(Weak::Common)),
        ("woaini520", Err(Weak::Common)),
        ("520520520a", Err(Weak::Common)),
        ("Admin@123", Err(Weak::Common)),
        ("ＩＬＯＶＥＹＯＵ１", Err(Weak::Common)),
        ("campus-card-77", Ok(())),
        ("mq7-123456", Ok(())),
        ("woaixuexi", Ok(())),
        ("820417", Ok(())),
    ];
    check_table(table);
    assert_eq!(check_new(&long[..63], "", &holder(CARD_X, true)), Err(Weak::Pattern), "63 characters are not too long");
}

#[test]
fn r77_a_password_made_of_what_is_known_of_its_holder_is_refused_with_its_reason() {
    let table: &[(&str, Result<(), Weak>)] = &[
        ("20050315", Err(Weak::Birthday)),
        ("050315", Err(Weak::Birthday)),
        ("15032005", Err(Weak::Birthday)),
        ("150305", Err(Weak::Birthday)),
        ("03152005", Err(Weak::Birthday)),
        ("031505", Err(Weak::Birthday)),
        ("2005315", Err(Weak::Birthday)),
        ("200503", Err(Weak::Birthday)),
        ("032005", Err(Weak::Birthday)),
        ("2005-03-15", Err(Weak::Birthday)),
        ("2005年3月15日", Err(Weak::Birthday)),
        ("qk20050315zt", Err(Weak::Birthday)),
        ("qk0315", Err(Weak::Birthday)),
        ("x1503ky", Err(Weak::Birthday)),
        ("ab2005k", Err(Weak::Birthday)),
        (NUMBER, Err(Weak::Number)),
        ("260135", Err(Weak::Number)),
        ("x013579y", Err(Weak::Number)),
        ("9753106202", Err(Weak::Number)),
        ("975310", Err(Weak::Number)),
        (CARD_X, Err(Weak::Birthday)),
        ("330102", Err(Weak::Document)),
        ("152180", Err(Weak::Document)),
        ("15218x", Err(Weak::Document)),
        ("315218", Err(Weak::Document)),
        ("812513", Err(Weak::Document)),
        ("826491", Ok(())),
        ("370482", Ok(())),
        ("8$kQz!", Ok(())),
        ("my dog eats 7 pears", Ok(())),
        ("红豆生南国", Err(Weak::TooShort)),
        ("红豆生南国春", Ok(())),
        ("xk0315zt", Ok(())),
        ("ab2005kz", Ok(())),
        ("26013x57", Ok(())),
        ("oldone!7", Ok(())),
    ];
    check_table(table);
}

#[test]
fn r77_length_is_counted_in_characters_up_to_and_with_its_bounds() {
    let letters = "qmxvzkwjtrnbhfgpldsc82649371QMXVZKWJTRNBHFGPLDSC!$%&?+=yeuaioYEUAI";
    let table = [(5, Err(Weak::TooShort)), (6, Ok(())), (64, Ok(())), (65, Err(Weak::TooLong))];
    for (length, expected) in table {
        let new: String = letters.chars().take(length).collect();
        assert_eq!(new.chars().count(), length);
        assert_eq!(check_new(&new, "", &holder(CARD_X, true)), expected, "{length}");
    }
}

#[test]
fn r77_a_passport_has_no_birthday_and_a_short_number_may_stand_inside_a_long_password() {
    let short = Holder { number: "A17", document: "E12345678", identity_card: false };
    let table = [
        ("a17826", Err(Weak::Number)),
        ("71a826", Err(Weak::Number)),
        ("a178264", Ok(())),
        ("345678", Err(Weak::Run)),
        ("e12345", Err(Weak::Document)),
        ("x45678", Err(Weak::Common)),
        ("x45z678", Ok(())),
        ("050315", Ok(())),
    ];
    for (new, expected) in table {
        assert_eq!(check_new(new, "", &short), expected, "{new}");
    }
    let padded = Holder { number: "A17", document: "AB8264", identity_card: false };
    assert_eq!(check_new("008264", "", &padded), Err(Weak::Document), "the first password, with its zeros");
}

#[test]
fn r77_most_six_digit_numbers_stay_free() {
    let free = (0..1_000_000_u32)
        .step_by(97)
        .filter(|number| check_new(&format!("{number:06}"), "", &holder(CARD_X, true)).is_ok())
        .count();
    assert!((9_600..10_310).contains(&free), "{free} of 10310: guessing must not become easy by what is refused");
}

#[test]
fn every_reason_has_its_own_words_under_one_code() {
    let all = [
        Weak::TooShort,
        Weak::TooLong,
        Weak::Character,
        Weak::SameAsOld,
        Weak::OneCharacter,
        Weak::Run,
        Weak::Pattern,
        Weak::Birthday,
        Weak::Number,
        Weak::Document,
        Weak::Common,
    ];
    let words: std::collections::BTreeSet<(String, String)> = all
        .into_iter()
        .map(|weak| {
            let words = weak.words();
            assert_eq!(words.code, "PASSWORD_WEAK");
            (words.zh, words.en)
        })
        .collect();
    assert_eq!(words.len(), all.len());
}
