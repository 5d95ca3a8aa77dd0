#include "actors/secret/secret_vault.hpp"

#include "actors/secret/payload_keys.hpp"
#include "runtime/entity/offline.hpp"
#include "schemas/base/log.hpp"
#include "storage/committer.hpp"
#include "storage/views.hpp"

#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t page = 200;

/// Of a command that the node gives itself.
template <class Command>
runtime::command own_command(entity_address to, const Command& c) {
    runtime::command out;
    out.to = std::move(to);
    out.type = wire_name<Command>::value;
    out.payload = to_json(c);
    out.principal = "node";
    return out;
}

problem not_its_place(std::string_view name) {
    return {code::secrets_locked, "the secret '" + std::string(name) +
                                      "' cannot be opened: what is stored for it was changed, or belongs to another "
                                      "secret; set it again, or restore a backup"};
}

/// Visits all documents of a kind in an organization.
expected<void> each_document(const storage::store& s, const uuid& organization, std::string_view kind,
                             const std::function<expected<void>(const storage::stored_document&)>& visit) {
    storage::list_query query;
    query.organization = organization;
    query.kind = kind;
    query.limit = page;
    query.descending = false;
    for (;;) {
        auto found = storage::read_list(s, query);
        if (!found) {
            return found.error();
        }
        for (const auto& d : found->items) {
            if (auto visited = visit(d); !visited) {
                return visited;
            }
        }
        if (!found->next_cursor) {
            return {};
        }
        query.cursor = *found->next_cursor;
    }
}

} // namespace

expected<std::vector<keyring_state>> read_keyrings(const storage::store& s) {
    std::vector<keyring_state> out;
    auto read = each_document(s, system_organization, keyring_model::kind, [&](const auto& d) -> expected<void> {
        auto ring = from_json<keyring_state>(d.json, strictness::stored);
        if (!ring) {
            return ring.error();
        }
        out.push_back(std::move(*ring));
        return {};
    });
    return read ? expected<std::vector<keyring_state>>(std::move(out)) : read.error();
}

expected<void> check_keyrings(const storage::store& s, const master_keys& masters) {
    const auto rings = read_keyrings(s);
    if (!rings) {
        return rings.error();
    }
    for (const auto& ring : *rings) {
        for (const auto& key : ring.keys) {
            if (const auto opened = unwrap_key(masters, ring.organization, key); !opened) {
                return opened.error();
            }
        }
    }
    return {};
}

expected<std::optional<rewrap_data_keys>> rewrapped(const master_keys& masters, const keyring_state& ring) {
    rewrap_data_keys out;
    for (const auto& key : ring.keys) {
        if (key.master == masters.current().id) {
            continue;
        }
        const auto opened = unwrap_key(masters, ring.organization, key);
        if (!opened) {
            return opened.error();
        }
        out.keys.push_back(wrap_key(masters.current(), ring.organization, key.number, opened->text()));
    }
    return out.keys.empty() ? std::optional<rewrap_data_keys>() : std::optional(std::move(out));
}

expected<std::size_t> rewrap_offline(storage::store& s, const master_keys& masters) {
    const auto rings = read_keyrings(s);
    if (!rings) {
        return rings.error();
    }
    std::vector<std::pair<uuid, rewrap_data_keys>> all; // every key opens before the first one is written
    for (const auto& ring : *rings) {
        auto command = rewrapped(masters, ring);
        if (!command) {
            return command.error();
        }
        if (*command) {
            all.emplace_back(ring.organization, std::move(**command));
        }
    }
    if (auto wrapped = s.keys() ? s.keys()->wrap_with(wrap_with_masters(masters)) : expected<void>(); !wrapped) {
        return wrapped.error();
    }
    if (all.empty()) {
        return std::size_t{0};
    }
    const auto committer = storage::committer::open(s, s.free_bytes_min());
    if (!committer) {
        return committer.error();
    }
    const auto kind = runtime::make_kind<keyring_model>();
    for (const auto& [organization, command] : all) {
        const auto done =
            runtime::decide_offline(s, **committer, kind, own_command(keyring_address(organization), command));
        if (!done) {
            return done.error();
        }
    }
    return all.size();
}

secret_vault::secret_vault(const runtime::services& s, master_key_source source, master_keys keys)
    : services_(s), source_(std::move(source)), masters_(std::make_shared<const master_keys>(std::move(keys))) {}

secret_vault::~secret_vault() { wait(); }

void secret_vault::wait() {
    const std::lock_guard lock(rotation_mutex_);
    if (rotation_.joinable()) {
        rotation_.join();
    }
}

expected<std::unique_ptr<secret_vault>> secret_vault::open(const runtime::services& s,
                                                           const runtime::config& settings) {
    auto source = find_master_keys(settings);
    if (!source) {
        return source.error();
    }
    auto keys = read_master_keys(*source);
    if (!keys && keys.error().code == code::not_found && source->may_make) {
        if (const auto master = master_of_payload_keys(*s.store); !master.empty()) {
            return problem{code::secrets_locked, source->file.string() +
                                                     " is missing, and the contents of the data directory are sealed "
                                                     "under the master key " +
                                                     master +
                                                     ". Put the key file of the node that made them there, or name it "
                                                     "with secrets.key_file; nothing was changed"};
        }
        const auto rings = read_keyrings(*s.store);
        if (!rings) {
            return rings.error();
        }
        if (!rings->empty()) {
            return problem{code::secrets_locked,
                           source->file.string() +
                               " is missing, and the data directory has secrets that are wrapped "
                               "with the master key " +
                               rings->front().keys.back().master +
                               ". Put the key file of the node that made them there, or name it with "
                               "secrets.key_file; nothing was changed"};
        }
        if (auto made = make_key_file(source->file); !made) {
            return made.error();
        }
        log_for("secrets").warn("the master key of secrets was made: {}. Keep a copy of it apart from backups",
                                source->file.string());
        keys = read_master_keys(*source);
    }
    if (!keys) {
        return keys.error();
    }
    if (auto attached = attach_payload_keys(*s.store, *keys); !attached) {
        auto why = attached.error();
        why.detail += "; nothing was changed";
        return why;
    }
    std::unique_ptr<secret_vault> out(new secret_vault(s, std::move(*source), std::move(*keys)));
    auto good = out->check();
    return good ? expected<std::unique_ptr<secret_vault>>(std::move(out)) : good.error();
}

/// What is wrong with the master keys is said before the node serves.
expected<void> secret_vault::check() const {
    const auto good = check_keyrings(*services_.store, *masters());
    if (good) {
        return {};
    }
    return problem{good.error().code, "the secrets cannot be opened with the keys of " + source_.origin() + ": " +
                                          good.error().detail +
                                          ". Give the node that master key, behind the new one if there is a new one; "
                                          "nothing was changed"};
}

std::shared_ptr<const master_keys> secret_vault::masters() const {
    const std::lock_guard lock(mutex_);
    return masters_;
}

expected<std::optional<keyring_state>> secret_vault::keyring(const uuid& organization) const {
    const auto found = storage::read_document(*services_.store, keyring_address(organization));
    if (!found) {
        return found.error();
    }
    if (!*found) {
        return std::optional<keyring_state>();
    }
    auto ring = from_json<keyring_state>((*found)->json, strictness::stored);
    return ring ? expected<std::optional<keyring_state>>(std::move(*ring)) : ring.error();
}

expected<sealed_secret> secret_vault::sealed(const uuid& organization, std::string_view name) const {
    const auto found =
        storage::read_item(*services_.store, secret_address(organization, name), sealed_collection, sealed_key);
    if (!found) {
        return found.error();
    }
    return *found ? from_json<sealed_secret>(**found, strictness::stored) : sealed_secret{};
}

expected<data_key> secret_vault::open_key(const keyring_state& ring, std::uint32_t number) const {
    if (number >= ring.keys.size()) {
        return problem{code::secrets_locked, "the keyring of the organization " + to_string(ring.organization) +
                                                 " has no data key " + std::to_string(number)};
    }
    auto opened = unwrap_key(*masters(), ring.organization, ring.keys[number]);
    return opened ? expected<data_key>(data_key{number, std::move(*opened)}) : opened.error();
}

std::vector<wrapped_key> secret_vault::make_keys(const uuid& organization, std::uint32_t first,
                                                 std::uint32_t count) const {
    const auto keys = masters();
    std::vector<wrapped_key> out;
    for (auto number = first; number < first + count; ++number) {
        const wiped_text bytes(random_bytes(cipher_key_bytes));
        out.push_back(wrap_key(keys->current(), organization, number, bytes.text()));
    }
    return out;
}

expected<std::string> secret_vault::reveal(const uuid& organization, std::string_view name) const {
    const auto stored = sealed(organization, name);
    if (!stored) {
        return stored.error();
    }
    if (stored->sealed.empty()) {
        return problem{code::not_found, "there is no secret '" + std::string(name) +
                                            "'; set it with `troupe secret "
                                            "set " +
                                            std::string(name) + "`"};
    }
    const auto ring = keyring(organization);
    if (!ring) {
        return ring.error();
    }
    const auto number = data_key_of(stored->sealed);
    if (!number || !*ring) {
        return not_its_place(name);
    }
    const auto key = open_key(**ring, *number);
    if (!key) {
        return key.error();
    }
    auto value = open_secret(key->bytes.text(), {organization, std::string(name), stored->version}, stored->sealed);
    return value ? expected<std::string>(std::move(*value)) : not_its_place(name);
}

expected<secret_keys_document> secret_vault::describe(const uuid& organization) const {
    const auto ring = keyring(organization);
    if (!ring) {
        return ring.error();
    }
    const auto keys = masters();
    secret_keys_document out;
    out.master = keys->current().id;
    out.master_origin = source_.origin();
    if (*ring) {
        out.key = (*ring)->current();
        out.rotating = (*ring)->rotating();
        for (const auto& key : (*ring)->keys) {
            out.rewrapping = out.rewrapping || key.master != keys->current().id;
        }
    }
    return out;
}

expected<set_secret> secret_vault::seal_next(const keyring_state& ring, std::string_view name,
                                             std::string_view value) const {
    const auto before = sealed(ring.organization, name);
    if (!before) {
        return before.error();
    }
    const auto key = open_key(ring, ring.current());
    if (!key) {
        return key.error();
    }
    set_secret out{std::string(name), before->version + 1, {}};
    out.sealed = seal_secret(key->bytes.text(), key->number, {ring.organization, out.name, out.version}, value);
    return out;
}

expected<void> secret_vault::keep(const uuid& organization, std::string_view name, std::string_view value) {
    auto ring = keyring(organization);
    if (ring && !*ring) {
        const auto made = runtime::ask(
            services_, own_command(keyring_address(organization), add_data_keys{make_keys(organization, 0, 2)}));
        if (!made && made.error().code != code::conflict) {
            return made.error();
        }
        ring = keyring(organization);
    }
    if (!ring || !*ring) {
        return ring ? problem{code::internal, "the keyring was made and is not there"} : ring.error();
    }
    const auto next = seal_next(**ring, name, value);
    if (!next) {
        return next.error();
    }
    const auto set = runtime::ask(services_, own_command(secret_address(organization, name), *next));
    return set ? expected<void>() : expected<void>(set.error());
}

expected<std::optional<reseal_secret>> secret_vault::reseal(const keyring_state& ring, std::string_view name) const {
    const auto stored = sealed(ring.organization, name);
    if (!stored) {
        return stored.error();
    }
    const auto number = data_key_of(stored->sealed);
    if (stored->sealed.empty() || (number && *number >= ring.current())) {
        return std::optional<reseal_secret>();
    }
    auto value = reveal(ring.organization, name);
    if (!value) {
        return value.error();
    }
    const wiped_text plain(std::move(*value));
    const auto key = open_key(ring, ring.current());
    if (!key) {
        return key.error();
    }
    // Should another value have come between the two reads, the command names a version that is over: nothing changes.
    const secret_place place{ring.organization, std::string(name), stored->version};
    return std::optional(
        reseal_secret{stored->version, seal_secret(key->bytes.text(), key->number, place, plain.text())});
}

expected<std::size_t> secret_vault::rewrap_all() {
    if (auto* payload_keys = services_.store->keys()) {
        if (auto wrapped = payload_keys->wrap_with(wrap_with_masters(*masters())); !wrapped) {
            return wrapped.error();
        }
    }
    const auto rings = read_keyrings(*services_.store);
    if (!rings) {
        return rings.error();
    }
    const auto keys = masters();
    std::size_t changed = 0;
    for (const auto& ring : *rings) {
        const auto command = rewrapped(*keys, ring);
        if (!command) {
            return command.error();
        }
        if (!*command) {
            continue;
        }
        if (const auto done = runtime::ask(services_, own_command(keyring_address(ring.organization), **command));
            !done) {
            return done.error();
        }
        ++changed;
    }
    return changed;
}

void secret_vault::rewrap_after_start() {
    if (const auto rewrapped = rewrap_all(); !rewrapped) {
        log_for("secrets").error("not all data keys are wrapped with the new master key yet: {}",
                                 rewrapped.error().detail);
    } else if (*rewrapped > 0) {
        log_for("secrets").warn("{} keyrings are wrapped with the new master key", *rewrapped);
    }
}

void secret_vault::rotate_master(std::function<void(expected<void>)> done) {
    if (rotating_.exchange(true)) {
        done(problem{code::conflict, "the master key is being rotated already; look again in a moment"});
        return;
    }
    if (const auto* keys = services_.store->keys(); keys && keys->is_shared()) { // else it would be in the file already
        rotating_ = false;
        done(problem{code::conflict, "the nodes of a cluster have one master key, and it cannot be changed while they "
                                     "are a cluster; nothing was changed"});
        return;
    }
    const std::lock_guard making(rotation_mutex_);
    if (rotation_.joinable()) {
        rotation_.join(); // the one before, which is over
    }
    rotation_ = std::thread([this, done = std::move(done)] {
        auto added = add_master_key(source_);
        if (added) {
            const std::lock_guard lock(mutex_);
            masters_ = std::make_shared<const master_keys>(std::move(*added));
        }
        const auto rewrapped_all = added ? rewrap_all() : expected<std::size_t>(added.error()); // knows the new ones
        rotating_ = false;
        done(rewrapped_all ? expected<void>() : rewrapped_all.error());
    });
}

runtime::performer_of<keyring_model> make_keyring_performer(const secret_vault& vault, const runtime::services& s) {
    return [&vault, &s](const runtime::perform_effect&, const keyring_state& ring,
                        runtime::effect_context& context) -> std::vector<runtime::self_command> {
        std::size_t left = 0;
        const auto visited =
            each_document(*s.store, ring.organization, secret_model::kind, [&](const auto& d) -> expected<void> {
                const auto document = from_json<secret_document>(d.json, strictness::stored);
                if (!document || context.stop().stop_requested()) {
                    return document ? problem{code::cancelled, "the node stops"} : document.error();
                }
                const auto command = vault.reseal(ring, document->name);
                if (!command) { // it was lost before: the others go on, and somebody has to hear of it
                    log_for("secrets").error("{}", command.error().detail);
                    return {};
                }
                if (*command) {
                    const auto done =
                        context.ask(own_command(secret_address(ring.organization, document->name), **command));
                    left += done ? 0 : 1;
                }
                return {};
            });
        if (!visited || left > 0) {
            return {}; // what is still owed is done again after a rest
        }
        return {runtime::self_command{std::string(wire_name<finish_rotation>::value),
                                      to_json(finish_rotation{ring.current()})}};
    };
}

} // namespace troupe::actors
