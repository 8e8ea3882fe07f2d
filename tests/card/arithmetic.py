"""The arithmetic of a purse card (JR/T 0025, 3DES), written from the card specification on the single DES of PyCryptodome."""

from Crypto.Cipher import DES

ZERO = bytes(8)


def single(key, block):
    """DES of one block under eight bytes of key."""
    return DES.new(key, DES.MODE_ECB).encrypt(block)


def back(key, block):
    return DES.new(key, DES.MODE_ECB).decrypt(block)


def triple(key, blocks):
    """E: DES under the left half, back under the right half, DES under the left half; block by block."""
    left, right = key[:8], key[8:]
    parts = [blocks[at:at + 8] for at in range(0, len(blocks), 8)]
    return b"".join(single(left, back(right, single(left, part))) for part in parts)


def xor(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


def padded(data):
    """80, then zeros; always at least one byte."""
    return data + b"\x80" + bytes(-(len(data) + 1) % 8)


def chain(key, start, data):
    block = start
    text = padded(data)
    for at in range(0, len(text), 8):
        block = single(key, xor(block, text[at:at + 8]))
    return block


def mac8(key, data, start=ZERO):
    """MAC1, MAC2, TAC: the left half of the last block of single DES in CBC."""
    return chain(key, start, data)[:4]


def mac16(key, challenge, data):
    """Secure messaging under sixteen bytes of key; starts from the card's challenge."""
    last = chain(key[:8], challenge + bytes(4), data)
    return single(key[:8], back(key[8:], last))[:4]


def derived(master, factor):
    """The key of a card from a master key and the last eight bytes of its serial number."""
    return triple(master, factor) + triple(master, bytes(byte ^ 0xFF for byte in factor))


def tac_key(key):
    return xor(key[:8], key[8:])


def sealed(key, data):
    """A text for line encryption: its length, itself, 80 00.. unless it is aligned; then E."""
    text = bytes([len(data)]) + data
    return triple(key, text if len(text) % 8 == 0 else padded(text))


def u16(value):
    return value.to_bytes(2, "big")


def u32(value):
    return value.to_bytes(4, "big")


class CardKeys:
    """The keys of one card."""

    def __init__(self, masters, factor):
        self.load = derived(masters["load"], factor)
        self.purchase = derived(masters["purchase"], factor)
        self.tac = tac_key(derived(masters["tac"], factor))
        self.maintenance = derived(masters["maintenance"], factor)

    def load_session(self, random, n):
        return triple(self.load, random + u16(n) + b"\x80\x00")

    def purchase_session(self, random, m, tsn):
        return triple(self.purchase, random + u16(m) + u32(tsn)[2:])


def self_check(tally):
    """Vectors of real cards and of the project: this arithmetic is right before it judges anything."""
    h = bytes.fromhex
    same = tally.same
    key = h("374598B5C0B0EAE1E1D06609AC5BB369")
    session = triple(key, h("CDEF4F20") + h("0000") + h("8000"))
    same("vector A: session key", session, h("3C05F429713D0188"))
    terms = h("00001C37") + h("02") + h("000001000050")
    same("vector A: MAC1", mac8(session, h("00000000") + terms), h("06B1BEF5"))
    stamp = h("20140825103100")
    same("vector A: MAC2", mac8(session, terms + stamp), h("0641DCD8"))
    tk = tac_key(h("CAA6025290114BFCC3C9043F70F7A07A"))
    same("vector A: TAC", mac8(tk, h("00001C37") + h("0000") + terms + stamp), h("ED0F8755"))
    session = triple(h("00112233445566778899AABBCCDDEEFF"), h("584633C9") + h("0000") + h("0000"))
    same("vector C: session key", session, h("C08346DF9F1D457A"))
    terms = h("00000001") + h("06") + h("001122334455") + h("20161216134600")
    same("vector C: MAC1", mac8(session, terms), h("D45737C5"))
    same("vector C: MAC2", mac8(session, h("00000001")), h("66B54A6B"))
    block = mac16(h("6474215EF549707831BB8DB9895FD48A"), h("1EA2B2E6"), h("841E000004"))
    same("vector E: MAC of BLOCK", block, h("A86CC6A8"))
    update = h("04D685002C0731410000000000410000008999998502002015060500" "0F00000001000120150605203808080000")
    same("vector E: MAC of UPDATE", mac16(h("F28E92292DCB63F11EA7F5776A7122B8"), h("1B534732"), update), h("C853F358"))
    plain = h("01003300") + h("374598B5C0B0EAE1E1D06609AC5BB369")
    text = sealed(h("6CA1901BE8F968A23A6BD5F62A20BDC8"), plain)
    same("vector E: WRITE KEY", text, h("ACB9ACA418B376513B0C4C00F0FDD9846F83FE7A04AD9347"))
    master, factor = h("00112233445566778899AABBCCDDEEFF"), h("2026000000000042")
    same("vector G: derived key", derived(master, factor), h("2C40DED895E0FCFEFEFAFA64AB443F96"))
