//! The merchant's notify address: writes down what arrives and answers as a test wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::merchant::Merchant;

pub(crate) struct Receiver {
    pub(crate) address: String,
    arrived: UnboundedReceiver<Arrival>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone)]
struct Desk {
    answers: Arc<Mutex<VecDeque<u16>>>,
    arrived: UnboundedSender<Arrival>,
}

impl Receiver {
    /// Answers with `answers`, one after the other, then with 204.
    pub(crate) async fn answering(answers: &[u16]) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/notify/wechat", listener.local_addr().expect("an address"));
        let (sender, arrived) = unbounded_channel();
        let desk = Desk { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), arrived: sender };
        let router = Router::new().route("/notify/wechat", post(receive)).with_state(desk);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Receiver { address, arrived, task }
    }

    /// Waits for the next arrival.
    pub(crate) async fn next(&mut self) -> Arrival {
        self.arrived.recv().await.expect("an arrival")
    }

    /// Whether nothing has arrived that was not taken yet.
    pub(crate) fn silent(&mut self) -> bool {
        self.arrived.try_recv().is_err()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Arrival {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// Checks the signature and opens the resource.
    pub(crate) fn proved(&self, merchant: &Merchant) -> Value {
        merchant.check_signature(&self.headers, &self.body);
        merchant.open(&self.json()["resource"]).expect("the seal holds")
    }
}

async fn receive(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> StatusCode {
    desk.arrived.send(Arrival { headers, body: body.to_vec() }).expect("the test listens");
    let status = desk.answers.lock().expect("unpoisoned").pop_front().unwrap_or(204);
    StatusCode::from_u16(status).expect("a status")
}
