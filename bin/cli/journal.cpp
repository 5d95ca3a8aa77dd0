#include "bin/cli/commands.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/unlock.hpp"
#include "schemas/base/described.hpp"
#include "storage/log_reader.hpp"
#include "storage/sealing.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

/// Commands that read the journal of a data folder, also beside a node that runs on it.
namespace troupe::cli {
namespace {

expected<int> journal_verify(context& c) {
    const auto folder = c.data_folder();
    if (!folder) {
        return c.usage({code::invalid_request,
                        "Which data folder? Give it: troupe journal verify DIR, --data DIR or TROUPE_DATA."});
    }
    storage::store_options options;
    options.directory = *folder;
    options.read_only = true;
    const auto store = storage::store::open(options);
    if (!store) {
        return store.error();
    }
    const bool live = c.err_screen().interactive && !c.json();
    if (const auto opened = unlock(c, **store, true); !opened) { // all but the contents can be read without keys
        c.note(paint(c.err_screen(), tone::warn, "contents are not opened: ") + opened.error().detail);
    }
    const auto found = storage::verify_journal(**store, [&](std::uint64_t records) {
        if (live) {
            c.progress(fmt::format("{} records", count_text(records)));
        }
    });
    if (live) {
        c.progress("");
    }
    const bool good = !found.first() && found.snapshots_damaged == 0;
    if (c.json()) {
        std::string out;
        json::object_writer w(out);
        w.field("ok", good)
            .field("records", found.records)
            .field("shards", found.shards)
            .field("snapshots", found.snapshots);
        w.field("snapshots_damaged", found.snapshots_damaged)
            .field("trimmed", found.trimmed)
            .field("waiting", found.waiting)
            .field("histories", found.histories)
            .field("histories_cut", found.histories_cut);
        w.field("blobs", found.blobs).field("blob_bytes", found.blob_bytes).field("blobs_damaged", found.blobs_damaged);
        w.field("blobs_unfinished", found.blobs_unfinished).field("references", found.references);
        w.field("blobs_missing", found.blobs_missing);
        if (found.first()) {
            w.raw_field("first_bad", to_problem_json(*found.first()));
        }
        w.end();
        c.print_json(out);
        return good ? 0 : 1;
    }
    c.print(details(
        c.out_screen(),
        {{"journal", {folder->string()}},
         {"records",
          {fmt::format("{} in {} shards{}{}", count_text(found.records), found.shards,
                       found.trimmed == 0 ? "" : ", after " + count_text(found.trimmed) + " that were trimmed",
                       found.waiting == 0 ? "" : ", before " + count_text(found.waiting) + " not known as committed")}},
         {"histories",
          {fmt::format("{}{}", count_text(found.histories),
                       found.histories_cut == 0
                           ? ""
                           : ", " + count_text(found.histories_cut) + " without their oldest events")}},
         {"snapshots", {fmt::format("{}, {} damaged", found.snapshots, found.snapshots_damaged)}},
         {"contents",
          {fmt::format("{}, {}; {} damaged, {} missing", count_text(found.blobs), bytes_text(found.blob_bytes),
                       found.blobs_damaged, found.blobs_missing)}},
         {"verdict",
          {good ? "✓ every record and every content is good" : "✗ damaged", good ? tone::good : tone::bad}}}));
    return found.first() ? expected<int>(*found.first()) : expected<int>(good ? 0 : 1);
}

/// A record as a line of the export: every field that it has.
struct exported_record {
    std::uint32_t shard = 0;
    std::uint64_t seq = 0;
    std::uint64_t epoch = 0;
    uuid organization;
    std::string kind;
    uuid id;
    std::uint64_t entity_seq = 0;
    std::string type;
    std::uint16_t version = 0;
    timestamp time;
    std::string command_id;
    std::uint64_t request_hash = 0;
    std::uint32_t index_in_batch = 0;
    std::uint32_t batch_size = 0;
    std::string principal;
    std::string cause;
    std::string correlation;
    std::string trace;
    std::string address;
    std::string user_agent;
    uuid acting_organization;
    std::uint32_t key_id = 0;
    json::raw payload;
};
BOOST_DESCRIBE_STRUCT(exported_record, (),
                      (shard, seq, epoch, organization, kind, id, entity_seq, type, version, time, command_id,
                       request_hash, index_in_batch, batch_size, principal, cause, correlation, trace, address,
                       user_agent, acting_organization, key_id, payload))

std::string export_line(storage::record&& r) {
    exported_record out{r.shard,
                        r.seq,
                        r.epoch,
                        r.entity.organization,
                        std::move(r.entity.kind),
                        r.entity.id,
                        r.entity_seq,
                        std::move(r.type),
                        r.version,
                        r.time,
                        std::move(r.command_id),
                        r.request_hash,
                        r.index_in_batch,
                        r.batch_size,
                        std::move(r.principal),
                        std::move(r.cause),
                        std::move(r.correlation),
                        std::move(r.trace),
                        std::move(r.client.address),
                        std::move(r.client.program),
                        r.client.organization,
                        r.key_id,
                        {}};
    out.payload.text = std::move(r.payload);
    return to_json(out) + "\n";
}

/// "3:1200" as shard and seq.
std::optional<std::pair<std::uint32_t, std::uint64_t>> position_of(std::string_view text) {
    const auto colon = text.find(':');
    std::pair<std::uint32_t, std::uint64_t> out;
    const auto whole = [](std::string_view digits, auto& into) {
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), into);
        return error == std::errc() && end == digits.data() + digits.size();
    };
    return colon != std::string_view::npos && whole(text.substr(0, colon), out.first) &&
                   whole(text.substr(colon + 1), out.second)
               ? std::optional(out)
               : std::nullopt;
}

expected<int> journal_export(context& c) {
    const auto folder = c.data_folder();
    if (!folder) {
        return c.usage({code::invalid_request,
                        "Which data folder? Give it: troupe journal export DIR, --data DIR or TROUPE_DATA."});
    }
    const auto since = position_of(c.args().value_or("since", "0:0"));
    if (!since) {
        return c.usage(
            {code::invalid_request, "--since takes SHARD:SEQ of the last record that you have, as in 3:1200."});
    }
    const auto kind = c.args().value("kind");
    std::uint64_t trimmed = 0;
    timestamp oldest;
    storage::store_options options;
    options.directory = *folder;
    options.read_only = true;
    const auto store = storage::store::open(options);
    if (!store) {
        return store.error();
    }
    if (auto opened = unlock(c, **store, true); !opened) {
        return opened.error();
    }
    for (auto shard = since->first; shard < (*store)->who().shards; ++shard) {
        const auto base = storage::read_log_base(**store, shard);
        if (!base) {
            return base.error();
        }
        const auto asked = shard == since->first ? since->second : 0;
        const auto after = std::max(asked, base->at.seq);
        if (after > asked) {
            trimmed += after - asked;
            oldest = std::max(oldest, base->time);
        }
        expected<void> opened;
        const auto read = storage::read_log(**store, shard, after, [&](storage::record&& r) {
            if (!kind || r.entity.kind == *kind) {
                opened = storage::open_record(**store, r);
                if (!opened && opened.error().code == code::erased) {
                    r.payload = "null";
                    opened = {};
                }
                if (opened) {
                    c.write(export_line(std::move(r)));
                }
            }
            return opened && c.can_write();
        });
        if (!read || !opened) {
            return read ? opened.error() : read.error();
        }
        if (!c.can_write()) {
            return problem{code::storage_failed, "The export is not complete: its output cannot be written."};
        }
    }
    if (trimmed > 0) {
        c.note(fmt::format("{} records are not in the export: retention trimmed them, the newest is of {}.",
                           count_text(trimmed), to_string(oldest)));
    }
    return 0;
}

} // namespace

std::vector<command> journal_commands() {
    return {
        {"journal verify",
         "Read the whole journal and all contents of a data folder and name the first bad record or content.",
         {.flags = {secrets_key_flag()}, .operands = "[DIR]", .operands_min = 0, .operands_max = 1},
         "troupe journal verify ./data",
         journal_verify},
        {"journal export",
         "Write every record of a data folder as a line of JSON, shard by shard. A node may run on it.",
         {.flags = {{"since", "SHARD:SEQ", "Go on after this record; shards before it are left out."},
                    {"kind", "KIND", "Only records of entities of this kind: task, run, …"},
                    secrets_key_flag()},
          .operands = "[DIR]",
          .operands_min = 0,
          .operands_max = 1},
         "troupe journal export ./data > journal.jsonl\ntroupe journal export --kind task --since 3:1200",
         journal_export},
    };
}

} // namespace troupe::cli
