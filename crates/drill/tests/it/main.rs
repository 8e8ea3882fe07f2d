//! Tests of the drill from outside: the server is the same process that the acceptance drills harm.

use std::process::{Command, Output};

fn drill(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onecard-drill")).args(words).output().expect("starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_server_killed_in_a_checkpoint_and_at_random_keeps_everything_it_acknowledged() {
    let folder = std::env::temp_dir().join(format!("onecard-drill-it-{}", std::process::id()));
    // With fail points a third round would be the first of them.
    let output = drill(&["kill", "--rounds", "2", "--folder", &folder.display().to_string()]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("kill -9 in a checkpoint") && said.contains("kill -9 at random"), "{said}");
    assert_eq!(said.lines().last(), Some("2 passed, 0 failed"), "{said}");
    assert!(!folder.exists(), "what was made is removed");
}

#[test]
fn a_wrong_command_line_is_told_with_the_usage() {
    let table: [&[&str]; 7] = [
        &[],
        &["sleep"],
        &["kill", "--rounds"],
        &["kill", "--rounds", "many"],
        &["kill", "--at", "teller.nowhere"],
        &["power-cut", "--fs", "fat"],
        &["server", "--die-at", "teller.loaded"],
    ];
    for words in table {
        let output = drill(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains("Usage: onecard-drill"), "{words:?}");
    }
    assert!(text(&drill(&["--help"]).stdout).starts_with("Usage: onecard-drill"));
}

#[test]
fn every_fail_point_can_be_named() {
    let output = drill(&["points"]);
    let said = text(&output.stdout);
    assert!(output.status.success());
    for name in said.lines().filter_map(|line| line.split(' ').next()) {
        let output = drill(&["kill", "--at", name, "--rounds", "0"]);
        let refused = text(&output.stderr).contains("build it with --features failpoints");
        assert!(!output.status.success(), "no round ran, so nothing was shown");
        assert_eq!(refused, !cfg!(feature = "failpoints"), "{name}: {}", text(&output.stderr));
    }
    assert_eq!(said.lines().count(), 10);
}
