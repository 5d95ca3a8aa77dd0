#include "schemas/backup.hpp"
#include "actors/application/kinds.hpp"
#include "actors/secret/payload_keys.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/unlock.hpp"
#include "net/object_store/s3.hpp"
#include "runtime/backup/remote_backups.hpp"
#include "runtime/backup/restore.hpp"
#include "runtime/config/config.hpp"
#include "storage/backup.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

/// Backups: a running node makes, lists and deletes them; checking and restoring need none.
namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

std::string time_text(const std::optional<timestamp>& t, timestamp now) {
    return t ? fmt::format("{} ({})", to_string(*t), relative_time(*t, now)) : "";
}

std::string show_backups(const screen& s, const std::vector<backup_entry>& items, timestamp now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& b : items) {
        rows.push_back({{b.id, tone::accent},
                        {relative_time(b.created_at, now), tone::faint},
                        {std::string(detail::enum_name(b.made_by))},
                        {count_text(b.records)},
                        {b.newest_record_at ? to_string(*b.newest_record_at) : ""},
                        {bytes_text(b.bytes)},
                        {b.copy, tone::faint}});
    }
    return table(s, {{"BACKUP"}, {"MADE"}, {"BY"}, {"RECORDS", true}, {"NEWEST RECORD"}, {"SIZE", true}, {"COPY"}},
                 rows);
}

std::string show_backup(const screen& s, const backup_detail& b, timestamp now) {
    return details(s, {{"backup", {b.id, tone::accent}},
                       {"folder", {b.directory}},
                       {"copy", {b.copy.empty() ? "none" : b.copy}},
                       {"made", {time_text(b.created_at, now)}},
                       {"by", {std::string(detail::enum_name(b.made_by)) + ", troupe " + b.made_with}},
                       {"records", {fmt::format("{} in {} shards", count_text(b.records), b.shards)}},
                       {"newest record", {time_text(b.newest_record_at, now)}},
                       {"size", {fmt::format("{} in {} files", bytes_text(b.bytes), b.files.size())}},
                       {"cluster", {to_string(b.cluster), tone::faint}}});
}

expected<int> print_backup(context& c, expected<std::string> body) {
    return print_document<backup_detail>(c, std::move(body),
                                         [&](const auto& b) { return show_backup(c.out_screen(), b, c.now()); });
}

/// A large one takes longer than a request may: the same key asks for the same backup until it is there.
expected<int> backup_create(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto key = to_string(make_uuid());
    for (;;) {
        auto body = (*node)->post("/backups", {}, key);
        if (!body && (body.error().code == code::deadline_exceeded || body.error().code == code::overloaded)) {
            if (c.err_screen().interactive && !c.json()) {
                c.progress("The backup is still being made …");
            }
            std::this_thread::sleep_for(std::chrono::seconds(body.error().retry_after_s.value_or(0)));
            continue;
        }
        if (c.err_screen().interactive && !c.json()) {
            c.progress("");
        }
        return print_backup(c, std::move(body));
    }
}

bool is_remote(std::string_view place) { return place.starts_with("s3://"); }

/// The object store of --from, with the credentials and the endpoint of the configuration's variables.
expected<std::unique_ptr<runtime::object_store>> open_remote(std::string_view place) {
    runtime::config_sources sources;
    sources.environment = runtime::config_environment();
    const auto settings = runtime::load_config(sources);
    return settings ? net::make_s3_store(place, settings->values)
                    : expected<std::unique_ptr<runtime::object_store>>(settings.error());
}

expected<int> list_remote(context& c, std::string_view place) {
    const auto remote = open_remote(place);
    const auto all = remote ? runtime::list_copies(**remote) : expected<std::vector<backup_manifest>>(remote.error());
    if (!all) {
        return all.error();
    }
    std::string items;
    std::vector<backup_entry> entries;
    for (const auto& copy : *all) {
        entries.push_back({copy, copy.directory});
        items += (items.empty() ? "" : ",") + to_json(entries.back());
    }
    if (c.json()) {
        c.print_json("{\"items\":[" + items + "],\"next_cursor\":null}");
    } else if (entries.empty()) {
        c.note("There is no backup in " + std::string(place) + ".");
    } else {
        c.print(show_backups(c.out_screen(), entries, c.now()));
    }
    return 0;
}

expected<int> backup_fetch(context& c) {
    const auto& id = c.args().operand(0);
    const auto from = c.args().value("from");
    if (!from || !is_remote(*from)) {
        return c.usage({code::invalid_request, "Where from? --from s3://BUCKET/PREFIX names the place."});
    }
    const auto remote = open_remote(*from);
    if (!remote) {
        return remote.error();
    }
    const auto to = c.search().working_folder / c.args().value("to").value_or(id);
    const bool live = c.err_screen().interactive && !c.json();
    const auto fetched = runtime::fetch_copy(**remote, id, to, [&](std::string_view doing) {
        if (live) {
            c.progress(doing);
        }
    });
    if (live) {
        c.progress("");
    }
    if (!fetched) {
        return fetched.error();
    }
    c.json() ? c.print_json(to_json<backup_summary>(*fetched))
             : c.print(details(c.out_screen(), {{"fetched", {id, tone::accent}},
                                                {"to", {to.string()}},
                                                {"next", {"troupe backup restore " + to.string() + "/ --data DIR"}}}));
    return 0;
}

expected<int> backup_list(context& c) {
    if (const auto from = c.args().value("from")) {
        return is_remote(*from) ? list_remote(c, *from)
                                : c.usage({code::invalid_request, "--from takes s3://BUCKET/PREFIX; without it the "
                                                                  "node says which backups it has."});
    }
    return print_list<backup_entry>(c, "/backups", {}, "There is no backup. `troupe backup create` makes one.",
                                    [&](const auto& items) { return show_backups(c.out_screen(), items, c.now()); });
}

expected<int> backup_show(context& c) {
    auto node = c.node();
    return node ? print_backup(c, (*node)->get("/backups/" + encode_segment(c.args().operand(0))))
                : expected<int>(node.error());
}

expected<int> backup_delete(context& c) {
    auto node = c.node();
    return node ? print_done(c, (*node)->remove("/backups/" + encode_segment(c.args().operand(0))),
                             "Deleted " + c.args().operand(0) + ".")
                : expected<int>(node.error());
}

/// The folder of a backup: given as such, or by its id in --from, or in the backups of the data folder at hand.
fs::path find_backup_folder(context& c, bool data_is_source) {
    auto search = c.search();
    const auto& word = c.args().operand(0);
    const auto given = search.working_folder / word;
    std::error_code missing;
    if (word.find('/') != std::string::npos || fs::exists(given / "manifest.json", missing)) {
        return given;
    }
    if (const auto from = c.args().value("from")) {
        return search.working_folder / *from / word;
    }
    if (!data_is_source) {
        search.data.reset(); // names the new folder
    }
    const auto data = find_data_folder(search);
    return data ? *data / "backups" / word : given;
}

expected<int> backup_verify(context& c) {
    const auto folder = find_backup_folder(c, true);
    const bool live = c.err_screen().interactive && !c.json();
    const auto found = storage::verify_backup(folder, [&](std::uint64_t records) {
        if (live) {
            c.progress(fmt::format("{} records", count_text(records)));
        }
    });
    if (live) {
        c.progress("");
    }
    if (!found) {
        return found.error();
    }
    if (c.json()) {
        std::string out;
        json::object_writer w(out);
        w.field("ok", true).field("directory", folder.string()).field("records", found->records);
        w.field("snapshots", found->snapshots).field("snapshots_damaged", found->snapshots_damaged);
        w.field("blobs", found->blobs);
        w.end();
        c.print_json(out);
        return 0;
    }
    c.print(details(c.out_screen(),
                    {{"backup", {folder.string()}},
                     {"records", {fmt::format("{} in {} shards", count_text(found->records), found->shards)}},
                     {"contents", {fmt::format("{}, {}", count_text(found->blobs), bytes_text(found->blob_bytes))}},
                     {"verdict", {"✓ every file, record and content is good", tone::good}}}));
    return 0;
}

void print_restored(context& c, const runtime::restore_result& done, const fs::path& target) {
    for (const auto& entity : done.quarantined) {
        c.note("cannot be replayed, its documents are as of the backup: " + entity);
    }
    if (done.damaged_content) {
        c.note("restored, but not all contents of files are good: " + done.damaged_content->detail);
    }
    if (c.json()) {
        std::string out;
        json::object_writer w(out);
        w.field("backup", done.from.id).field("data", target.string()).field("records", done.records);
        w.field("records_cut", done.records_cut).field("quarantined", std::uint64_t{done.quarantined.size()});
        w.end();
        c.print_json(out);
        return;
    }
    c.print(
        details(c.out_screen(),
                {{"restored", {done.from.id, tone::accent}},
                 {"to", {target.string()}},
                 {"records",
                  {fmt::format("{}, {} later ones left out", count_text(done.records), count_text(done.records_cut))}},
                 {"next",
                  {"troupe serve --data " + target.string() +
                   " (put the old node's secrets.key there first; its admin.key is a new one)"}}}));
}

expected<int> backup_restore(context& c) {
    const auto data = c.args().value("data");
    if (!data) {
        return c.usage({code::invalid_request, "Where to? --data DIR names the new data folder."});
    }
    runtime::restore_options options;
    options.backup = find_backup_folder(c, false);
    options.target = c.search().working_folder / *data;
    options.free_bytes_min = static_cast<std::uint64_t>(runtime::config().storage_free_bytes_min);
    if (const auto until = c.args().value("until")) {
        options.until = parse_timestamp(*until);
        if (!options.until) {
            return c.usage({code::invalid_request, "--until takes a time with its zone: 2026-11-21T10:00:00Z."});
        }
    }
    options.unlock = [&c, &options](storage::store& s) { // the key of the node that made it, unless one is named
        auto settings = secrets_settings(c, s.directory());
        if (settings && settings->secrets_key.empty() && settings->secrets_key_file.empty()) {
            settings->secrets_key_file = (options.backup.parent_path().parent_path() / "secrets.key").string();
        }
        return settings ? actors::unlock_offline(s, *settings, false) : expected<void>(settings.error());
    };
    const bool live = c.err_screen().interactive && !c.json();
    const auto done = runtime::restore_backup(options, actors::entity_kinds({}), [&](std::string_view doing) {
        if (live) {
            c.progress(doing);
        }
    });
    if (live) {
        c.progress("");
    }
    if (!done) {
        return done.error();
    }
    print_restored(c, *done, options.target);
    return done->quarantined.empty() && !done->damaged_content ? 0 : 1;
}

} // namespace

std::vector<command> backup_commands() {
    const flag from{"from", "FOLDER", "Where the backups are, when the node keeps them outside its data folder."};
    const flag remote{"from", "PLACE", "s3://BUCKET/PREFIX; keys and endpoint are taken from AWS_* variables."};
    return {
        {"backup create",
         "Make a backup of the node while it works.",
         {},
         "troupe backup create\ntroupe backup create --json",
         backup_create},
        {"backup list",
         "The backups of the node, newest first; or those in an object store, from any machine.",
         {.flags = {limit_flag(), remote}},
         "troupe backup list\ntroupe backup list --from s3://backups/troupe",
         backup_list},
        {"backup show",
         "What a backup holds.",
         {.operands = "ID", .operands_min = 1, .operands_max = 1},
         "troupe backup show 20261121T071441Z-3f2a91c0",
         backup_show},
        {"backup verify",
         "Check every file, record and content of a backup. No node has to run.",
         {.flags = {from}, .operands = "ID|DIR", .operands_min = 1, .operands_max = 1},
         "troupe backup verify 20261121T071441Z-3f2a91c0\ntroupe backup verify /mnt/backups/20261121T071441Z-3f2a91c0",
         backup_verify},
        {"backup fetch",
         "Fetch a backup from an object store into a folder, to restore it from there. No node has to run.",
         {.flags = {remote, {"to", "FOLDER", "The new folder; without it one named after the backup."}},
          .operands = "ID",
          .operands_min = 1,
          .operands_max = 1},
         "AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… troupe backup fetch 20261121T071441Z-3f2a91c0 "
         "--from s3://backups/troupe",
         backup_fetch},
        {"backup delete",
         "Delete a backup, and its copy in the object store.",
         {.operands = "ID", .operands_min = 1, .operands_max = 1},
         "troupe backup delete 20261121T071441Z-3f2a91c0",
         backup_delete},
        {"backup restore",
         "Make a new data folder from a backup, as it was or as of an earlier moment. No node has to run.",
         {.flags = {from, {"until", "TIME", "Leave out what was decided later: 2026-11-21T10:00:00Z."}},
          .operands = "ID|DIR",
          .operands_min = 1,
          .operands_max = 1},
         "troupe backup restore 20261121T071441Z-3f2a91c0 --data ./restored\n"
         "troupe backup restore /mnt/backups/20261121T071441Z-3f2a91c0 --data /var/lib/troupe "
         "--until 2026-11-21T10:00:00Z",
         backup_restore},
    };
}

} // namespace troupe::cli
