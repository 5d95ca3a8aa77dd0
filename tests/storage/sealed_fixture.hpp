#pragma once

#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/poison.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"
#include "storage/tables.hpp"
#include "storage/views.hpp"
#include "tests/storage/fake_wrapping.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::test {

/// A store whose contents are sealed, with entities that have a row in every table.
class sealed_journal {
public:
    explicit sealed_journal(bool with_keys = true) { open(with_keys); }

    void open(bool with_keys) {
        journal.reset();
        journal = std::make_unique<journal_fixture>(directory.path);
        if (with_keys) {
            attach_fake_keys(*journal->store);
        }
    }
    [[nodiscard]] storage::store& store() const { return *journal->store; }
    [[nodiscard]] storage::key_store& keys_of() const { return *store().keys(); }

    static client_info client_of(std::string_view text) {
        client_info out;
        out.address = std::string(text) + " address";
        out.program = std::string(text) + " program";
        return out;
    }

    /// One event of the entity with its rows, all of which say `text`.
    storage::append change(const entity_address& a, const std::string& text, const uuid& subject = {}) {
        namespace keys = storage::keys;
        auto out = journal->prepare(a, 1, {}, "{\"said\":\"" + text + " payload\"}");
        out.subject = subject;
        auto& r = out.records.front();
        r.client = client_of(text);
        const auto shard = store().shard_of(a);
        const auto names = storage::index_names::for_writing(store(), a.organization);
        storage::document_row row{r.entity_seq, "{\"said\":\"" + text + " document\"}", {}};
        for (const auto& filter : {std::string(), "name=" + text + " filter"}) {
            const auto name = names ? (*names)(filter) : filter;
            row.keys.emplace_back(name, "sort");
            out.derived.puts.emplace_back(keys::index(shard, a, name, "sort"), "");
        }
        auto poisoned = r;
        poisoned.type = "$poisoned";
        poisoned.payload = R"({"command":"x","cause":")" + text + " poison\"}";
        for (auto& each : std::vector<std::pair<std::string, std::string>>{
                 {keys::entity(shard, keys::table::document, a), storage::encode_document_row(row)},
                 {keys::item(shard, a, "things", "one"), "{\"said\":\"" + text + " item\"}"},
                 {keys::item(shard, a, "things", "two"), "{\"said\":\"" + text + " other item\"}"},
                 {keys::timer(shard, {5000}, a, "wake"),
                  storage::encode_timer_row("wake", "{\"said\":\"" + text + " timer\"}")},
                 {keys::entity(shard, keys::table::owed, a), ""},
                 {keys::numbered(shard, keys::table::snapshot, a, r.entity_seq),
                  storage::encode_snapshot_row({r.entity_seq, 1, "{\"said\":\"" + text + " snapshot\"}"})},
                 {keys::reference(shard, std::string(32, 'r'), a), ""},
                 {keys::command(shard, a, "kept"),
                  storage::encode_command_row(
                      {1, 1, 1, r.time, storage::repeat_answer::kept, "{\"said\":\"" + text + " answer\"}"})},
                 storage::poison_row(shard, poisoned)}) {
            out.derived.puts.push_back(std::move(each));
        }
        return out;
    }

    entity_address write(const uuid& organization, const std::string& text, const uuid& subject = {},
                         const std::string& kind = "counter") {
        const entity_address a{organization, kind, make_uuid()};
        commit(change(a, text, subject));
        return a;
    }
    void commit(storage::append a) {
        const auto done = journal->commit(std::move(a));
        BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().detail));
    }

    /// Whether any file of the database, as it lies on the disk after a flush, holds that text.
    [[nodiscard]] bool on_disk(std::string_view text) const {
        BOOST_REQUIRE(store().flush().has_value());
        for (const auto& each : std::filesystem::recursive_directory_iterator(directory.path / "db")) {
            if (!each.is_regular_file()) {
                continue;
            }
            std::ifstream in(each.path(), std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(in), {}};
            if (bytes.find(text) != std::string::npos) {
                return true;
            }
        }
        return false;
    }

    /// All rows of a family as they are kept.
    [[nodiscard]] std::map<std::string, std::string> rows(rocksdb::ColumnFamilyHandle* family) const {
        std::map<std::string, std::string> out;
        for (storage::prefix_scan scan(*store().db().db, family, ""); scan.valid(); scan.next()) {
            out.emplace(scan.key(), scan.value());
        }
        return out;
    }
    [[nodiscard]] std::map<std::string, std::string> rows() const { return rows(store().db().derived); }
    [[nodiscard]] std::string row(const std::string& key) const { return rows().at(key); }
    void put(const std::string& key, const std::string& value) const {
        BOOST_REQUIRE(store().db().db->Put({}, store().db().derived, key, value).ok());
    }

    [[nodiscard]] storage::list_page list(const uuid& organization, std::string filter = {},
                                          std::string kind = "counter") const {
        storage::list_query query;
        query.organization = organization;
        query.kind = std::move(kind);
        query.filter = std::move(filter);
        auto page = storage::read_list(store(), query);
        BOOST_REQUIRE_MESSAGE(page.has_value(), (page ? "" : page.error().detail));
        return std::move(*page);
    }

    temporary_directory directory;
    std::unique_ptr<journal_fixture> journal;
};

inline const uuid one_organization = derive_uuid({"sealed", "one"});
inline const uuid other_organization = derive_uuid({"sealed", "other"});

/// As `sealed_journal::change` wrote it.
inline std::string said(const std::string& what) { return "{\"said\":\"" + what + "\"}"; }

} // namespace troupe::test
