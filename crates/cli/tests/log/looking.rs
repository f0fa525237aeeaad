//! Looking at a log: what is told, and that nothing changes.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::process::Signal;

use crate::{
    client::request,
    folder::{Folder, end, json_lines},
};

#[test]
fn what_a_killed_server_has_left_is_told_and_not_changed_by_one_byte() {
    let folder = Folder::grown();
    let was = folder.content();
    let export = folder.beside("export");
    for args in [
        &["info"][..],
        &["info", "--json", "--topics", "1"],
        &["verify"],
        &["dump", "--topic", "big", "--topic", "small"],
        &["export", export.to_str().unwrap()],
        &["export"],
    ] {
        let run = folder.log(args);
        assert_eq!(run.code, Some(0), "{args:?}: {run:?}");
        assert!(folder.content() == was, "{args:?} has changed something");
    }
    assert_eq!(folder.names_beside(), ["data", "export"]);
}

#[test]
fn info_tells_epochs_segments_topics_and_times() {
    let folder = Folder::grown();
    let info = json_lines(&folder.log(&["info", "--json"]).stdout).remove(0);
    let segments = info["segments"].as_array().unwrap();
    assert!(segments.len() > 3, "{info}");
    let (last, sealed) = segments.split_last().unwrap();
    assert_eq!(last["index"], "being written");
    assert!(sealed.iter().all(|segment| segment["index"] == "ok"), "{info}");
    assert_eq!(info["last"], 100);
    assert_eq!(info["last_kept"]["seq"], 100);
    assert!(
        info["first_kept"]["seq"].as_u64().unwrap() > 1,
        "some were let go"
    );
    assert_eq!(info["epochs"][0]["first"], 1);
    assert_eq!(info["topics"][0]["topic"], "big");
    assert_eq!(info["known_topics"], 2);
    let sum: u64 = segments
        .iter()
        .map(|segment| segment["events"].as_u64().unwrap())
        .sum();
    let of = |topic: usize| info["topics"][topic]["events"].as_u64().unwrap();
    assert_eq!(sum, of(0) + of(1));
    let text = folder.log(&["info", "--topics", "1"]).stdout;
    for part in [
        info["log"].as_str().unwrap(),
        "big",
        "1 other topics",
        "whole",
        "snapshot",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    assert!(!text.contains("small"), "{text}");
}

#[test]
fn a_dump_is_what_a_reader_gets() {
    let folder = Folder::new();
    let server = folder.serve();
    let first = server.post("/events/a", "one");
    server.post("/events/a?event=tick&id=own&retry=500", "zwei\n潮");
    server.post("/events?topic=a&topic=b", "both");
    server.post("/events/gone", "secret");
    server.ask("DELETE", "/events/gone", &[], "");
    let last = server.post("/events/gone", "new");
    end(server, Signal::KILL);
    let dump = |args: &[&str]| {
        let run = folder.log(&[&["dump", "--json"], args].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        json_lines(&run.stdout)
    };
    let data = |args: &[&str]| -> Vec<String> {
        let line = |line: serde_json::Value| line["data"].as_str().unwrap_or("gap").to_owned();
        dump(args).into_iter().map(line).collect()
    };
    assert_eq!(data(&["--topic", "a"]), ["one", "zwei\n潮", "both"]);
    assert_eq!(data(&["--topic", "a", "--after", &first]), ["zwei\n潮", "both"]);
    assert_eq!(data(&["--topic", "a", "--after", "own"]), ["both"]);
    assert_eq!(data(&["--topic", "a", "--last", "2"]), ["zwei\n潮", "both"]);
    assert_eq!(data(&["--topic", "b", "--topic", "gone"]), ["both", "new"]);
    assert_eq!(
        data(&["--topic", "a", "--after", "never"]),
        ["gap", "one", "zwei\n潮", "both"]
    );
    let before = first.replace("-1", "-3");
    let told = dump(&["--topic", "gone", "--after", &before]);
    assert_eq!(
        (&told[0]["event"], &told[0]["reason"]),
        (&"tidewire.gap".into(), &"expired".into())
    );
    assert_eq!(told[1]["id"], *last);
    let own = &dump(&["--topic", "a", "--after", &first])[0];
    assert_eq!(own["id"], "own");
    assert_eq!((&own["event"], &own["retry"]), (&"tick".into(), &500.into()));
    assert!(!folder.log(&["dump", "--topic", "gone"]).stdout.contains("secret"));
    let unknown = folder.log(&["dump", "--topic", "nobody"]);
    assert_eq!((unknown.code, &*unknown.stdout), (Some(0), ""));
    assert!(unknown.stderr.contains("nobody"), "{unknown:?}");
    let text = folder.log(&["dump", "--topic", "a", "--topic", "b"]).stdout;
    assert!(
        text.contains(" own a tick zwei\n  潮\n") && text.contains(" a,b message both\n"),
        "{text}"
    );
}

#[test]
fn all_of_it_works_while_the_server_writes_and_lets_go() {
    let folder = Folder::new();
    let server = folder.serve();
    let stop = Arc::new(AtomicBool::new(false));
    let publish = |number: usize| {
        let (mut client, stop) = (server.connect(), Arc::clone(&stop));
        let big = "x".repeat(3000 + number);
        thread::spawn(move || {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                client
                    .ask(request("POST", &format!("/events/t{number}"), &[], &big))
                    .id();
                sent += 1;
            }
            sent
        })
    };
    let publishers: Vec<_> = (0..4).map(publish).collect();
    for round in 0..8 {
        for args in [
            &["info"][..],
            &["verify"],
            &["dump", "--topic", "t1", "--json"],
            &["export"],
        ] {
            let run = folder.log(args);
            assert_eq!(run.code, Some(0), "round {round}, {args:?}: {}{}", run.stderr, {
                let end = run.stdout.len().saturating_sub(500);
                &run.stdout[end..]
            });
            if args == ["export"] {
                let lines = json_lines(&run.stdout);
                let records = lines.iter().filter(|line| line["kind"] == "record");
                let seqs: Vec<_> = records.map(|line| line["seq"].as_u64().unwrap()).collect();
                assert!(seqs.is_sorted());
                assert_eq!(seqs.last().copied().unwrap_or(0), lines[0]["last"]);
                assert_eq!(lines.last().unwrap()["records"], seqs.len());
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let sent: usize = publishers
        .into_iter()
        .map(|publisher| publisher.join().unwrap())
        .sum();
    end(server, Signal::TERM);
    let info = json_lines(&folder.log(&["info", "--json"]).stdout).remove(0);
    assert_eq!(info["last"], sent, "all publishes counted, whoever looked");
    assert!(
        info["first_kept"]["seq"].as_u64().unwrap() > 1,
        "retention was at work"
    );
}

#[test]
fn whoever_reads_the_output_may_stop() {
    let folder = Folder::grown();
    for args in [&["export"][..], &["dump", "--topic", "big"]] {
        let mut command = folder.command(args);
        let mut child = command.spawn(Stdio::piped());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        drop(stdout);
        let status = child.wait_with_output().unwrap();
        assert_eq!(
            (status.status.code(), &*status.stderr),
            (Some(0), &b""[..]),
            "{args:?}"
        );
    }
}

#[test]
fn where_there_is_no_log_that_is_said_with_exit_code_2() {
    let folder = Folder::new();
    for args in [&["info"][..], &["verify"], &["dump", "--topic", "a"], &["export"]] {
        let run = folder.log(args);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("--data DIR"), "{run:?}");
    }
    std::fs::create_dir(&folder.data).unwrap();
    for args in [&["info"][..], &["verify"], &["dump", "--topic", "a"], &["export"]] {
        let run = folder.log(args);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("there is no log"), "{run:?}");
    }
    assert!(folder.content().is_empty());
}

#[test]
fn an_export_replaces_no_file_unasked() {
    let folder = Folder::grown();
    let file = folder.beside("e.ndjson");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "mine").unwrap();
    let run = folder.log(&["export", path]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("--force"), "{run:?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(folder.log(&["export", path, "--force"]).code, Some(0));
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with(r#"{"kind":"log""#)
    );
    assert_eq!(folder.names_beside(), ["data", "e.ndjson"]);
    let nowhere = folder.log(&["export", folder.beside("no/where").to_str().unwrap()]);
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
}
