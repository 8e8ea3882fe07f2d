//! `onecard guide`: text, HTML and PDF from the settings in force, and what a campus may say of itself.

use std::fs;

use crate::Place;

#[test]
fn r91_the_guide_on_the_command_line_is_that_of_the_settings_in_the_book() {
    let place = Place::new("guide");
    let config = fs::read_to_string(place.0.join("onecard.toml")).unwrap();
    let own = "\n[service]\nplace_zh = \"行政楼 101\"\nplace_en = \"Main building 101\"\nphone = \"010-1234 5678\"\n\n\
               [guide]\ntexts = \"texts\"\n";
    fs::write(place.0.join("onecard.toml"), format!("{config}{own}")).unwrap();
    fs::create_dir(place.0.join("texts")).unwrap();
    fs::write(place.0.join("texts/zh-CN.ftl"), "guide-own-title = 本校\nguide-own-1 = 单笔 { $sale_max } 以内。\n")
        .unwrap();
    fs::write(place.0.join("texts/en.ftl"), "guide-own-title = Here\nguide-own-1 = Up to { $sale_max }.\n").unwrap();
    let set = |value| {
        place.succeeds(&["settings", "set", "--config", "onecard.toml", "topup.min", value, "--by", "test"]);
    };
    set("300");
    let print = || place.succeeds(&["guide", "--config", "onecard.toml"]);
    let text = print();
    for part in ["示范大学", "¥3.00", "行政楼 101", "010-1234 5678", "单笔 ¥1,000.00 以内。"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    set("700");
    assert!(print().contains("¥7.00"));
    let english = place.succeeds(&["guide", "--config", "onecard.toml", "--lang", "en"]);
    assert!(english.contains("Model University") && english.contains("Main building 101"), "{english}");

    place.succeeds(&["guide", "--config", "onecard.toml", "--html", "guide.html"]);
    let html = fs::read_to_string(place.0.join("guide.html")).unwrap();
    assert!(html.contains("¥7.00") && html.contains("<html lang=\"zh-CN\""));
    assert!(!html.contains("http://") && !html.contains("src="), "it needs no other file");

    fs::write(place.0.join("texts/en.ftl"), "guide-own-title = Here\nguide-own-1 = Up to { $nothing }.\n").unwrap();
    let said = place.refused(&["guide", "--config", "onecard.toml"]);
    assert!(said.contains("guide-own-1") && said.contains("{ $nothing }"), "{said}");
    fs::write(place.0.join("onecard.toml"), format!("{config}\n[service]\nplace_zh = \"行政楼\"\n")).unwrap();
    let said = place.refused(&["guide", "--config", "onecard.toml"]);
    assert!(said.contains("service.place_zh and service.place_en go together"), "{said}");
}
