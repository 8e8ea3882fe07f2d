use super::*;

/// A stand-in for a signature that depends on every byte: the tests of real keys are where keys are.
fn sign(text: &[u8]) -> [u8; 64] {
    let change = ledger::row_digest("test", b"", Some(text));
    let mut signature = [7; 64];
    for (to, from) in signature.iter_mut().zip(change.content) {
        *to = from;
    }
    signature
}

fn verifies(text: &[u8], signature: &[u8]) -> bool {
    sign(text) == signature
}

fn school() -> SchoolId {
    SchoolId::new(7).expect("a school")
}

fn anchor(epoch: u64, block: u64) -> Anchor {
    let link = [u8::try_from(block % 250).expect("small"); 32];
    Anchor { school: school(), epoch, head: Head { block, seq: block * 3, link }, at: Micros::new(1_000_000) }
}

fn file(anchors: &[Anchor]) -> Vec<u8> {
    anchors.iter().map(|anchor| anchor.line(sign)).collect::<String>().into_bytes()
}

fn read(bytes: &[u8]) -> Anchors {
    Anchors::read(bytes, school(), &verifies)
}

#[test]
fn m8_anchors_are_read_back_in_order() {
    let written = [anchor(1, 1), anchor(1, 5), anchor(1, 9)];
    let anchors = read(&file(&written));
    assert_eq!(anchors.heads(), written.map(|anchor| anchor.head));
    assert_eq!(anchors.newest(), Some(&written[2]));
    assert_eq!((anchors.findings(1), anchors.torn(), anchors.given_up()), (vec![], false, 0));
    assert_eq!(read(b""), Anchors::default());
}

#[test]
fn m8_a_line_that_the_power_cut_is_told_and_is_no_finding() {
    let written = [anchor(1, 1), anchor(1, 5)];
    let (whole, first) = (file(&written), file(&written[..1]).len());
    for cut in first..whole.len() {
        let anchors = read(&whole[..cut]);
        assert_eq!(anchors.heads(), [written[0].head], "cut at {cut}");
        assert_eq!((anchors.findings(1), anchors.torn()), (vec![], cut > first), "cut at {cut}");
    }
}

#[test]
fn m8_no_flipped_bit_of_an_anchor_goes_unseen() {
    let good = file(&[anchor(1, 1), anchor(1, 5), anchor(1, 9)]);
    let line = good.len() / 3;
    for place in 0..good.len() - 1 {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[place] ^= 1 << bit;
            let same_signature = flipped.eq_ignore_ascii_case(&good) && place % line > line - 130;
            assert!(same_signature || !read(&flipped).findings(1).is_empty(), "byte {place}, bit {bit}");
        }
    }
}

#[test]
fn m8_what_goes_back_is_told_with_its_line() {
    let other = Anchor { head: Head { link: [99; 32], ..anchor(1, 5).head }, ..anchor(1, 5) };
    let foreign = Anchor { school: SchoolId::new(8).expect("a school"), ..anchor(1, 6) };
    let cases = [
        (vec![anchor(1, 5), anchor(1, 4)], "line 2: it goes back from block 5"),
        (vec![anchor(1, 5), other], "line 2: it names another block 5"),
        (vec![anchor(2, 5), anchor(1, 6)], "line 2: it goes back from epoch 2 to 1"),
        (vec![anchor(1, 5), foreign, anchor(1, 7)], "line 2: it belongs to school 8"),
    ];
    for (written, expected) in cases {
        let found = read(&file(&written)).findings(written[0].epoch);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?} instead of {expected}");
    }
    let found = Anchors::read(&file(&[anchor(1, 5)]), school(), &|_, _| false).findings(1);
    assert!(found.len() == 1 && found[0].contains("signature"), "{found:?}");
}

#[test]
fn m9_anchors_of_blocks_that_a_restore_gave_up_are_not_compared() {
    let fork = Anchor { head: anchor(1, 5).head, ..anchor(2, 5) };
    let anchors = read(&file(&[anchor(1, 1), anchor(1, 5), anchor(1, 9), anchor(1, 20), fork, anchor(2, 8)]));
    let blocks: Vec<u64> = anchors.heads().iter().map(|head| head.block).collect();
    assert_eq!((blocks, anchors.given_up()), (vec![1, 5, 5, 8], 2));
    assert_eq!(anchors.findings(2), Vec::<String>::new());
    let found = anchors.findings(1);
    assert!(found.len() == 1 && found[0].contains("epoch 2"), "{found:?}");
}

#[test]
fn m8_a_book_is_held_against_its_newest_anchor_before_it_is_served() {
    let newest = anchor(3, 10);
    let head = |block| Head { block, ..newest.head };
    let link = Some(newest.head.link);
    let table = [
        ("at the anchor", 3, 10, link, Ok(())),
        ("beyond it", 3, 25, link, Ok(())),
        ("behind it", 3, 9, None, Err(Unanchored::Behind { anchor: 10, book: 9 })),
        ("empty", 3, 0, None, Err(Unanchored::Behind { anchor: 10, book: 0 })),
        ("made anew", 3, 25, Some([1; 32]), Err(Unanchored::Other { block: 10 })),
        ("the block is gone", 3, 25, None, Err(Unanchored::Other { block: 10 })),
        ("put back by hand", 2, 25, link, Err(Unanchored::Epoch { anchor: 3, book: 2 })),
        ("anchors put back by hand", 4, 25, link, Err(Unanchored::Epoch { anchor: 3, book: 4 })),
    ];
    for (what, epoch, block, kept, expected) in table {
        assert_eq!(require_anchored(&newest, epoch, head(block), kept), expected, "{what}");
    }
}
