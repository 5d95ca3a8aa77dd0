// The check of RocksDB's write-ahead logs before they are opened. An even first byte: the rest is a log. An odd one: a
// log is made of good records with the lengths that follow; whole, or cut anywhere, it has to be taken.
#include "storage/write_ahead_log.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/crc.hpp>
#include <rocksdb/env.h>

#include <memory>

namespace troupe::fuzz {

namespace {

constexpr std::size_t block_bytes = 32 * 1024;
constexpr std::size_t header_bytes = 7;
enum fragment : char { full = 1, first, middle, last };

expected<void> check(const std::string& log) {
    static const std::unique_ptr<rocksdb::Env> disk(rocksdb::NewMemEnv(rocksdb::Env::Default()));
    claim(rocksdb::WriteStringToFile(disk.get(), log, "/db/000004.log").ok(), "a file can be written");
    auto checked = storage::check_write_ahead_logs(*disk, "/db");
    claim(checked || checked.error().code == code::journal_damaged, "a log is good or damaged");
    return checked;
}

void put_fragment(std::string& out, fragment type, std::string_view payload) {
    std::string covered(1, type);
    covered += payload;
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(covered.data(), covered.size());
    const auto plain = static_cast<std::uint32_t>(crc.checksum());
    const auto masked = ((plain >> 15) | (plain << 17)) + 0xa282ead8U;
    for (int shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(masked >> shift & 0xff);
    }
    out += static_cast<char>(payload.size() & 0xff);
    out += static_cast<char>(payload.size() >> 8);
    out += covered;
}

/// A batch with one row, whose content looks like records.
std::string make_batch(std::uint64_t sequence, std::size_t length) {
    std::string inner;
    put_fragment(inner, full, "abcdefghijklmnop");
    std::string out(reinterpret_cast<const char*>(&sequence), sizeof sequence);
    out.append("\1\0\0\0", 4);
    while (out.size() < length) {
        out += inner;
    }
    return out;
}

void put_record(std::string& out, std::string_view batch) {
    bool begun = false;
    for (bool done = false; !done; begun = true) {
        if (block_bytes - out.size() % block_bytes < header_bytes) {
            out.append(block_bytes - out.size() % block_bytes, '\0');
        }
        const auto part = batch.substr(0, block_bytes - out.size() % block_bytes - header_bytes);
        batch.remove_prefix(part.size());
        done = batch.empty();
        put_fragment(out, begun ? (done ? last : middle) : (done ? full : first), part);
    }
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    if (in.byte() % 2 == 0) {
        (void)check(std::string(in.rest()));
        return;
    }
    const auto cut = in.number<std::uint32_t>();
    std::string log;
    for (std::uint64_t sequence = 1000; !in.at_end() && log.size() < 4 * block_bytes; ++sequence) {
        put_record(log, make_batch(sequence, in.number<std::uint16_t>()));
    }
    claim(check(log).has_value(), "a good log is taken");
    log.resize(cut % (log.size() + 1));
    claim(check(log).has_value(), "a log whose end is torn is taken");
}

} // namespace troupe::fuzz
