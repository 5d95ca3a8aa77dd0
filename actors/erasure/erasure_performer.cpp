#include "actors/erasure/erasure_performer.hpp"

#include "actors/erasure/forget_erased.hpp"
#include "runtime/backup/backup_desk.hpp"
#include "schemas/base/log.hpp"
#include "storage/erase.hpp"
#include "storage/key_store.hpp"
#include "storage/log_reader.hpp"

#include <future>
#include <memory>
#include <system_error>
#include <vector>

namespace troupe::actors {
namespace {

namespace fs = std::filesystem;

using answers = std::vector<runtime::self_command>;

template <class Command>
answers one(const Command& c) {
    return {runtime::self_command{std::string(wire_name<Command>::value), to_json(c)}};
}

answers try_again(const uuid& id, const problem& why) {
    log_for("erasure").error("{} is not erased yet, and it is tried again: {}", to_string(id), why.detail);
    return {};
}

/// Folders of the runner's files that belong to runs of the organization.
std::vector<fs::path> command_folders(const storage::store& s, const fs::path& commands, const uuid& organization) {
    std::vector<fs::path> out;
    std::error_code none; // no folder: no commands
    for (fs::directory_iterator at(commands, none); !none && at != fs::directory_iterator(); at.increment(none)) {
        const auto run = parse_uuid(at->path().filename().native());
        const auto version = run ? storage::read_version(s, {organization, "run", *run}) : expected<std::uint64_t>(0);
        if (version && *version > 0) {
            out.push_back(at->path());
        }
    }
    return out;
}

/// The copies of the keys, beside backups and in the object store.
expected<void> copy_keys(const runtime::services& s) {
    auto done = std::make_shared<std::promise<expected<void>>>();
    auto copied = done->get_future();
    s.backups->copy_keys([done](expected<void> result) { done->set_value(std::move(result)); });
    return copied.get();
}

/// In this order: the files while it is still known whose they are, the note that rows have to go, the key, its copies.
expected<void> destroy(const erasure_parts& parts, const erasure_state& of) {
    auto& store = *parts.services->store;
    if (of.subject == erasure_subject::organization) {
        for (const auto& folder : command_folders(store, parts.commands, of.id)) {
            std::error_code failed;
            fs::remove_all(folder, failed);
            if (failed) {
                return problem{code::storage_failed, "cannot remove " + folder.string() + ": " + failed.message()};
            }
        }
        if (auto removed = parts.folders->remove_of(of.id); !removed) {
            return removed;
        }
    }
    if (!store.keys()) {
        return problem{code::secrets_locked, "this node keeps its contents without keys; there is none to destroy"};
    }
    auto done = storage::owe_removal(storage::store::keys_folder(store.directory()));
    if (done) {
        done = store.keys()->destroy(of.id, system_now());
    }
    return done && parts.services->backups ? copy_keys(*parts.services) : done;
}

} // namespace

runtime::performer_of<erasure_model> make_erasure_performer(erasure_parts parts) {
    return
        [parts](const runtime::perform_effect& what, const erasure_state& of, runtime::effect_context& ctx) -> answers {
            if (what.type == destroy_effect) {
                const auto done = destroy(parts, of);
                return done ? one(note_key_destroyed{}) : try_again(of.id, done.error());
            }
            auto& store = *parts.services->store;
            const auto removed = storage::remove_erased(
                store, [] {}, ctx.stop());
            if (!removed) {
                return removed.error().code == code::cancelled ? answers() : try_again(of.id, removed.error());
            }
            if (auto settled = storage::settle_removal(store); !settled) {
                return try_again(of.id, settled.error());
            }
            return one(finish_erasure{removed->entities, removed->blobs});
        };
}

expected<void> finish_removals(const runtime::services& s, const runtime::kind_registry& kinds) {
    if (!s.store->keys() || !storage::owes_removal(*s.store)) {
        return {};
    }
    const auto removed = storage::remove_erased(*s.store, [] {});
    auto done = removed ? forget_erased(*s.store, kinds) : expected<void>(removed.error());
    return done ? storage::settle_removal(*s.store) : done;
}

} // namespace troupe::actors
