//! `onecard bench ledger --quick`: that it works and what it writes, never how fast it is.

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
        let mut command = Command::new(env!("CARGO_BIN_EXE_onecard"));
        command.current_dir(&self.0).args(["bench", "ledger", "--quick", "--accounts", "200"]).args(more);
        command.output().unwrap()
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
    let results: Value = serde_json::from_str(&fs::read_to_string(folder.0.join("a.json")).unwrap()).unwrap();
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
    let results: Value = serde_json::from_str(&fs::read_to_string(folder.0.join("a.json")).unwrap()).unwrap();
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
