//! The same publishers with SQLite: one thread commits all that wait in one transaction, as whoever builds on it would.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::{DATA, TOPICS, WHILE};

/// A publish: its topic, its data, and who waits.
struct Waiting {
    topic: String,
    data: String,
    answer: tokio::sync::oneshot::Sender<()>,
}

pub(crate) fn run(file: &Path, publishers: usize) -> Result<u64> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, data BLOB NOT NULL);
         CREATE INDEX by_topic ON events (topic, seq);",
    )?;
    let (queue, waiting) = mpsc::sync_channel::<Waiting>(publishers);
    let committer = thread::spawn(move || commit(connection, &waiting));
    let answered = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + WHILE;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let publishers = (0..publishers).map(|number| {
            let (queue, answered) = (queue.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                for round in 0_usize.. {
                    let (answer, kept) = tokio::sync::oneshot::channel();
                    let topic = format!("topic-{}", (number + round * 7) % TOPICS);
                    let data = "x".repeat(DATA);
                    // There is room for each.
                    queue.try_send(Waiting { topic, data, answer }).expect("room");
                    kept.await.expect("SQLite keeps it");
                    if Instant::now() >= until {
                        break;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for publisher in publishers.collect::<Vec<_>>() {
            publisher.await?;
        }
        anyhow::Ok(())
    })?;
    drop(queue);
    committer.join().expect("the committer ends well")?;
    Ok(answered.load(Ordering::Relaxed))
}

fn commit(mut connection: Connection, waiting: &mpsc::Receiver<Waiting>) -> Result<()> {
    let mut answers = Vec::new();
    while let Ok(first) = waiting.recv() {
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO events (topic, data) VALUES (?1, ?2)")?;
            for publish in std::iter::once(first).chain(waiting.try_iter().take(1024)) {
                insert.execute(params![publish.topic, publish.data])?;
                answers.push(publish.answer);
            }
        }
        transaction.commit()?;
        // Who has gone needs no answer.
        answers
            .drain(..)
            .for_each(|answer: tokio::sync::oneshot::Sender<()>| {
                let _ = answer.send(());
            });
    }
    Ok(())
}
