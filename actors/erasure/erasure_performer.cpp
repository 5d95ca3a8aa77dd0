#include "actors/erasure/erasure_performer.hpp"

#include "actors/erasure/forget_erased.hpp"
#include "runtime/backup/backup_desk.hpp"
#include "runtime/process/sandbox.hpp"
#include "schemas/base/log.hpp"
#include "storage/erase.hpp"
#include "storage/key_store.hpp"
#include "storage/log_reader.hpp"

#include <future>
#include <memory>
#include <string_view>
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

/// Whether that key is of a command of a run of the organization: it begins with the run's id.
expected<bool> is_command_of(const storage::store& s, const uuid& organization, std::string_view key) {
    const auto run = parse_uuid(key.substr(0, key.find('/')));
    const auto version = run ? storage::read_version(s, {organization, "run", *run}) : expected<std::uint64_t>(0);
    return version ? expected<bool>(*version > 0) : version.error();
}

/// The copies of the keys, beside backups and in the object store.
expected<void> copy_keys(const runtime::services& s) {
    auto done = std::make_shared<std::promise<expected<void>>>();
    auto copied = done->get_future();
    s.backups->copy_keys([done](expected<void> result) { done->set_value(std::move(result)); });
    return copied.get();
}

/// In this order: commands and files while it is still known whose they are, the note that rows have to go, the key,
/// its copies.
expected<void> destroy(const erasure_parts& parts, const erasure_state& of) {
    auto& store = *parts.services->store;
    if (of.subject == erasure_subject::organization) {
        auto forgotten = runtime::forget_commands(
            parts.commands, [&](std::string_view key) { return is_command_of(store, of.id, key); });
        if (!forgotten) {
            return forgotten;
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
