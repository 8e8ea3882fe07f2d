//! `onecard bench --quick`: that it works and what it writes, never how fast it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn bench(&self, more: &[&str]) -> Output {
        self.onecard(&[&["bench", "ledger", "--quick", "--accounts", "200"], more].concat())
    }

    fn top_up(&self, more: &[&str]) -> Output {
        self.onecard(&[&["bench", "topup", "--quick"], more].concat())
    }

    fn onecard(&self, line: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_onecard")).current_dir(&self.0).args(line).output().unwrap()
    }

    fn results(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.0.join(name)).unwrap()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {path} of {value:#}"))
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {path} of {value:#}"))
}

#[test]
fn a_quick_bench_verifies_every_book_and_writes_results_that_a_program_can_read() {
    let folder = Folder::new("quick");
    let output = folder.bench(&["--patterns", "uniform,hot", "--out", "a.json", "--tail", "2000"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(folder.names(), ["a.json"], "nothing else is left behind");
    let results = folder.results("a.json");
    assert_eq!((number(&results, "/format"), text(&results, "/bench")), (1, "ledger"));
    assert!(number(&results, "/machine/cores") > 0 && !text(&results, "/versions/sqlite").is_empty());

    let runs = results["runs"].as_array().unwrap();
    let of = |engine: &str| runs.iter().filter(|run| text(run, "/engine") == engine).collect::<Vec<_>>();
    let own = of("onecard");
    let cases: Vec<_> = own.iter().map(|run| (text(run, "/case/pattern"), text(run, "/case/keys"))).collect();
    assert_eq!(cases, [("uniform", "stream"), ("uniform", "transfer"), ("hot", "stream"), ("hot", "transfer")]);
    for run in own {
        assert_eq!(run["figures"]["engine"]["verified"], true);
        let part = |name: &str| number(run, &format!("/figures/{name}"));
        assert_eq!(part("acknowledged"), 4000);
        assert_eq!(part("moved") + part("refused") + part("repeated"), 4000);
        assert!(part("refused") > 0 && part("repeated") > 0 && part("per_second") > 0);
        assert!(part("latency_us/p50") <= part("latency_us/p99") && part("latency_us/p99") <= part("latency_us/p999"));
        assert!(part("engine/journal_rows") >= part("moved") && part("engine/batches") >= 2);
        assert!(part("engine/bytes_per_transfer_hundredths") > 0);
        assert!(number(run, "/before/syncs_per_second") > 0 && number(run, "/after/syncs_per_second") > 0);
    }
    assert_eq!(of("sqlite-single").len(), 1);
    assert_eq!(results["medians"].as_array().unwrap().len(), 5);
    assert!(number(&results, "/single/p50_ns") > 0 && number(&results, "/single/sync_p50_ns") > 0);
    assert!(number(&results, "/start/accounts") > 300 * 3 && number(&results, "/start/resident_kib") > 0);
    assert_eq!(number(&results, "/recovery/start/accounts"), 201);
}

#[test]
fn a_missing_reference_and_a_quick_run_are_told_as_skipped_and_never_as_met() {
    let folder = Folder::new("skipped");
    let output = folder.bench(&["--patterns", "uniform", "--keys", "stream", "--out", "a.json"]);
    assert!(output.status.success(), "{output:?}");
    let results = folder.results("a.json");
    let skipped: Vec<_> =
        results["skipped"].as_array().unwrap().iter().map(|skipped| text(skipped, "/engine")).collect();
    assert_eq!(skipped, ["pgbench", "tigerbeetle"]);
    let targets = results["targets"].as_array().unwrap();
    for id in ["P1", "P2", "P3", "P8", "P10"] {
        assert!(targets.iter().any(|target| text(target, "/id") == id), "{id} is told");
    }
    for target in targets {
        assert_eq!(text(target, "/verdict"), "skipped", "{target:#}");
        assert!(!text(target, "/note").is_empty(), "{target:#}");
    }
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("onecard uniform 200 stream") && table.contains("skipped   pgbench"), "{table}");
    assert!(!table.contains(" met"), "{table}");
}

#[test]
fn what_cannot_be_measured_is_refused_in_a_sentence_before_anything_is_measured() {
    let folder = Folder::new("refused");
    let refused = |more: &[&str]| {
        let output = folder.bench(more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let nowhere = refused(&["--out", "nowhere/a.json"]);
    assert!(nowhere.contains("does not exist: make it first"), "{nowhere}");
    let no_postgres = refused(&["--out", "a.json", "--pgbin", "."]);
    assert!(no_postgres.contains("--pgbin"), "{no_postgres}");
    let no_tigerbeetle = refused(&["--out", "a.json", "--tigerbeetle-bin", "nowhere"]);
    assert!(no_tigerbeetle.contains("--tigerbeetle-bin"), "{no_tigerbeetle}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
    assert_eq!(folder.bench(&["--out", "a.json", "--rounds", "0"]).status.code(), Some(2), "wrong usage");
}

#[test]
fn notices_over_http_credit_each_order_once_and_what_came_again_or_is_forged_moves_nothing() {
    let folder = Folder::new("topup");
    let output = folder.top_up(&["--connections", "16", "--out", "a.json"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(folder.names(), ["a.json"], "nothing else is left behind");
    let results = folder.results("a.json");
    assert_eq!((number(&results, "/format"), text(&results, "/bench")), (1, "topup"));
    assert_eq!((number(&results, "/notices"), number(&results, "/warm_up")), (1100, 100));
    assert_eq!((number(&results, "/connections"), number(&results, "/signings")), (16, 1));

    let runs = results["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let part = |name: &str| number(&runs[0], &format!("/figures/{name}"));
    assert_eq!((text(&runs[0], "/engine"), &runs[0]["figures"]["verified"]), ("onecard", &Value::Bool(true)));
    assert_eq!((part("answered"), part("credited") + part("repeated") + part("forged")), (1000, 1000));
    assert!(part("repeated") > 0 && part("forged") > 0 && part("per_second") > 0);
    assert!(part("latency_us/p50") <= part("latency_us/p99") && part("latency_us/p99") <= part("latency_us/most"));
    assert!(part("notices_per_batch_hundredths") >= 100);
    assert!(part("client_cpu_ns_per_notice") > 0 && number(&runs[0], "/after/sync_p99_us") > 0);

    assert_eq!(text(&results["skipped"][0], "/engine"), "pgbench");
    let verdicts: Vec<_> = results["targets"].as_array().unwrap().iter().map(|each| text(each, "/verdict")).collect();
    assert_eq!(verdicts, ["skipped", "skipped"], "a quick run judges nothing");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("onecard, notices over HTTP") && table.contains("P4"), "{table}");
}

#[test]
fn a_bench_of_top_ups_that_cannot_run_says_why_before_anything_is_measured() {
    let folder = Folder::new("topup-refused");
    let table = [
        (&["--out", "nowhere/a.json"][..], 1, "does not exist: make it first"),
        (&["--out", "a.json", "--pgbin", "."], 1, "--pgbin"),
        (&["--out", "a.json", "--connections", "0"], 2, "--connections"),
        (&["--out", "a.json", "--seconds", "5", "--notices", "5000"], 2, "cannot be used with"),
    ];
    for (line, code, says) in table {
        let output = folder.top_up(line);
        assert_eq!(output.status.code(), Some(code), "{line:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(says), "{line:?}: {said}");
    }
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn m11_taps_at_several_terminals_leave_cards_and_book_in_agreement_and_every_part_is_told() {
    let folder = Folder::new("tap");
    let output = folder.onecard(&["bench", "tap", "--quick", "--terminals", "1,20", "--taps", "4", "--out", "a.json"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(folder.names(), ["a.json"], "nothing else is left behind");
    let results = folder.results("a.json");
    assert_eq!((number(&results, "/format"), text(&results, "/bench")), (1, "tap"));
    assert_eq!(number(&results, "/card_time/command_us"), 25_000);

    let runs = results["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| number(run, "/terminals")).collect::<Vec<_>>(), [1, 3], "quick takes fewer");
    for run in runs {
        assert_eq!(run["figures"]["verified"], true);
        let kinds = run["figures"]["kinds"].as_array().unwrap();
        let asked = |kind: &Value| -> Vec<String> {
            kind["messages"].as_array().unwrap().iter().map(|asked| text(asked, "/message").to_owned()).collect()
        };
        let expected = [
            ("load", 3, &["open", "release", "confirm"][..]),
            ("load-and-buy", 5, &["open", "release", "confirm", "authorise", "sale"]),
            ("purse", 4, &["open", "prove", "authorise", "sale"]),
        ];
        for (kind, (name, commands, messages)) in kinds.iter().zip(expected) {
            assert_eq!((text(kind, "/kind"), number(kind, "/commands")), (name, commands));
            assert_eq!(asked(kind), messages);
            let of = |path: &str| number(kind, path);
            assert!(of("/whole_us/count") >= 4 && of("/without_card_us/p50") > 0);
            let model = commands * 25_000;
            assert!(of("/whole_us/p50") > of("/without_card_us/p50") + model, "the model is added: {kind:#}");
            assert!(of("/whole_us/p50") <= of("/whole_us/p90") && of("/whole_us/p99") <= of("/whole_us/most"));
        }
        assert_eq!(kinds.len(), 3);
    }
    let targets = results["targets"].as_array().unwrap();
    let verdicts: Vec<_> = targets.iter().map(|target| (text(target, "/id"), text(target, "/verdict"))).collect();
    assert_eq!(verdicts, [("P6", "skipped"); 8], "a quick run judges nothing");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("verify MAC1, persist, MAC2") && table.contains("card-time model"), "{table}");
}

#[test]
fn a_bench_of_taps_that_cannot_run_says_why_before_anything_is_measured() {
    let folder = Folder::new("tap-refused");
    let table = [
        (&["--out", "nowhere/a.json"][..], 1, "does not exist: make it first"),
        (&["--out", "a.json", "--terminals", "0"], 2, "--terminals"),
        (&["--out", "a.json", "--taps", "0"], 2, "--taps"),
        (&["--out", "a.json", "--card-ms", "never"], 2, "--card-ms"),
    ];
    for (line, code, says) in table {
        let output = folder.onecard(&[&["bench", "tap", "--quick"], line].concat());
        assert_eq!(output.status.code(), Some(code), "{line:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(says), "{line:?}: {said}");
    }
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn every_page_comes_for_people_with_a_history_and_a_quick_run_judges_nothing() {
    let folder = Folder::new("pages");
    let output = folder.onecard(&["bench", "pages", "--quick", "--readers", "1,20", "--out", "a.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results = folder.results("a.json");
    assert_eq!((number(&results, "/format"), text(&results, "/bench")), (1, "pages"));
    assert!(number(&results, "/journal_rows") > 20);
    let medians = results["medians"].as_array().unwrap();
    let readers: Vec<u64> = medians.iter().map(|median| number(median, "/readers")).collect();
    assert_eq!(readers, [1, 3]);
    for page in medians.iter().flat_map(|median| median["pages"].as_array().unwrap()) {
        assert!(number(page, "/us/count") > 0 && number(page, "/bytes") > 0, "{page}");
    }
    assert!(results["targets"].as_array().unwrap().iter().all(|target| target["verdict"] == "skipped"));
    assert_eq!(folder.names(), ["a.json"]);
}

#[test]
fn every_kind_of_number_is_guessed_at_and_only_the_time_of_the_answer_may_differ() {
    let folder = Folder::new("door");
    let output = folder.onecard(&["bench", "door", "--quick", "--out", "a.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results = folder.results("a.json");
    assert_eq!((number(&results, "/format"), text(&results, "/bench")), (1, "door"));
    let kinds = results["medians"][0]["kinds"].as_array().unwrap();
    let told: Vec<_> = kinds.iter().map(|kind| (text(kind, "/kind"), number(kind, "/us/count"))).collect();
    assert_eq!(told, [("unknown", 4), ("first-password", 4), ("own-password", 4), ("locked", 4)]);
    let targets = results["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 3);
    assert!(targets.iter().all(|target| target["verdict"] == "skipped"), "{targets:#?}");
    assert_eq!(folder.names(), ["a.json"]);
    let many = folder.onecard(&["bench", "door", "--rounds", "10", "--out", "a.json"]);
    let said = String::from_utf8_lossy(&many.stderr).into_owned();
    assert!(many.status.code() == Some(1) && said.contains("at most 18"), "{said}");
}
