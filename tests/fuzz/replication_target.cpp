// Frames between replicas. An even first byte: the rest is a frame. An odd one: groups of records are made of the rest,
// sent, and damaged on their way.
#include "storage/entry_group.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "storage/replication/wire.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <utility>
#include <vector>

namespace troupe::fuzz {

namespace {

using namespace storage;
using storage::replication::message;

constexpr std::uint32_t shard = 3;

/// What a replica does with a frame before its core sees anything of it.
void read(std::string_view frame) {
    std::string again;
    const auto done = replication::each_message(
        frame, [&](std::uint32_t number, const message& m, std::string_view entries) -> expected<void> {
            replication::put_message(again, number, m, entries);
            const auto* sent = std::get_if<replication::append>(&m);
            const auto* answered = std::get_if<replication::pulled>(&m);
            if (sent != nullptr || answered != nullptr) {
                const auto& a = sent != nullptr ? *sent : answered->message;
                (void)read_groups(number, a.prev.seq, a.entry_epoch, a.count, entries);
            }
            return {};
        });
    std::string twice;
    const auto same = replication::each_message(
        again, [&](std::uint32_t number, const message& m, std::string_view entries) -> expected<void> {
            replication::put_message(twice, number, m, entries);
            return {};
        });
    claim(same && again == twice, "a message that was read is written as it was");
    claim(!done || !frame.empty() || again.empty(), "nothing is read of nothing");
}

std::vector<entry_group> make_groups(cutter& in, std::uint64_t after, std::uint64_t epoch) {
    std::vector<entry_group> out;
    for (int groups = in.byte() % 4; groups > 0; --groups) {
        entry_group g;
        g.first = after + 1;
        for (int records = 1 + in.byte() % 3; records > 0; --records) {
            record r;
            r.shard = shard;
            r.seq = ++after;
            r.epoch = epoch;
            r.entity_seq = in.byte();
            r.payload = in.text();
            g.records.push_back(encode_record(r));
        }
        g.last = after;
        const std::vector<std::pair<std::string, std::string>> puts{
            {keys::shard_table(shard, keys::table::document) + in.text(), in.text()}};
        const std::vector<std::string> deletes{keys::shard_table(shard, keys::table::index) + in.text()};
        g.changes = encode_changes(puts, deletes);
        out.push_back(std::move(g));
    }
    return out;
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto how = in.byte();
    if (how % 2 == 0) {
        read(in.rest());
        return;
    }
    const auto where = in.number<std::uint32_t>();
    const std::uint64_t after = in.number<std::uint32_t>();
    const std::uint64_t epoch = 1 + in.byte();
    const auto groups = make_groups(in, after, epoch);
    std::string bytes;
    for (const auto& g : groups) {
        put_group(bytes, g);
    }
    const auto count = groups.empty() ? 0 : groups.back().last - after;
    const auto back = read_groups(shard, after, epoch, count, bytes);
    claim(back && back->size() == groups.size(), "groups are read as they were sent");
    for (std::size_t i = 0; back && i < groups.size(); ++i) {
        const auto& g = *(*back)[i];
        claim(g.first == groups[i].first && g.last == groups[i].last && g.records == groups[i].records &&
                  g.changes == groups[i].changes,
              "a group is read as it was sent");
    }
    claim(!read_groups(shard, after, epoch, count + 1, bytes), "groups that are too few are refused");
    if (!groups.empty()) {
        claim(!read_groups(shard + 1, after, epoch, count, bytes), "groups of another shard are refused");
        claim(!read_groups(shard, after, epoch + 1, count, bytes), "groups of another epoch are refused");
        claim(!read_groups(shard, after + 1, epoch, count, bytes), "groups of another place are refused");
        const auto part = std::string_view(bytes).substr(0, where % bytes.size());
        claim(!read_groups(shard, after, epoch, count, part), "groups that were cut are refused");
        bytes[where % bytes.size()] ^= static_cast<char>(how & 0xfe ? how & 0xfe : 1);
        // Records have checksums of their own; what they change has that of its frame.
        (void)read_groups(shard, after, epoch, count, bytes);
    }
}

} // namespace troupe::fuzz
