#include "actors/identity/bounds.hpp"

#include "actors/identity/api_key_model.hpp"
#include "actors/identity/identity.hpp"
#include "actors/identity/session_model.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/log.hpp"
#include "storage/views.hpp"

#include <atomic>
#include <vector>

namespace troupe::actors {
namespace {

constexpr std::size_t ended_at_once_max = 100;
constexpr std::size_t page = 200;

/// Beyond the newest ones.
expected<std::vector<uuid>> surplus_sessions(const identity& me, const uuid& user) {
    const auto kept = static_cast<std::size_t>(me.services.settings->identity_sessions_max);
    storage::list_query query;
    query.organization = system_organization;
    query.kind = session_model::kind;
    query.filter = "user=" + to_string(user);
    query.limit = kept + ended_at_once_max;
    const auto found = storage::read_list(*me.services.store, query);
    if (!found) {
        return found.error();
    }
    std::vector<uuid> out;
    for (std::size_t i = kept; i < found->items.size(); ++i) {
        out.push_back(found->items[i].id);
    }
    return out;
}

/// Keys of the owner that are good now, counted up to `max`.
expected<std::size_t> count_keys(const storage::store& s, const uuid& organization, const std::string& owner,
                                 std::size_t max) {
    storage::list_query query;
    query.organization = system_organization;
    query.kind = api_key_model::kind;
    query.filter = "organization=" + to_string(organization);
    query.limit = page;
    query.kept = owner;
    query.keep = [&, now = system_now()](const storage::stored_document& d) {
        const auto key = from_json<api_key_document>(d.json, strictness::stored);
        return key && key->owner == owner && (!key->expires_at || now < *key->expires_at);
    };
    for (std::size_t count = 0;;) {
        const auto found = storage::read_list(s, query);
        if (!found) {
            return found.error();
        }
        count += found->items.size();
        if (!found->next_cursor || count >= max) {
            return count;
        }
        query.cursor = *found->next_cursor;
    }
}

} // namespace

void end_oldest_sessions(identity& me, const net::request& r, const uuid& user, std::function<void()> done) {
    const auto surplus = surplus_sessions(me, user);
    if (!surplus) {
        log_for("identity")
            .error("the sessions of user/{} were not counted: {}", to_string(user), surplus.error().detail);
    }
    if (!surplus || surplus->empty()) {
        return done();
    }
    const auto left = std::make_shared<std::atomic<std::size_t>>(surplus->size());
    const auto told = std::make_shared<std::function<void()>>(std::move(done));
    for (const auto& id : *surplus) {
        auto c = net::caller_command(r, session_address(id), wire_name<end_session>::value,
                                     to_json(end_session{std::string(too_many_sessions_reason)}));
        c.principal = "user/" + to_string(user);
        me.services.submit(std::move(c), [left, told](const runtime::reply&) {
            if (left->fetch_sub(1) == 1) {
                (*told)();
            }
        });
    }
}

expected<std::shared_ptr<void>> key_places::take(const identity& me, const uuid& organization,
                                                 const std::string& owner) {
    const std::pair place(organization, owner);
    std::size_t others = 0;
    {
        const std::lock_guard lock(mutex_);
        others = being_made_[place]++;
    }
    auto held = std::shared_ptr<void>(nullptr, [this, place](void*) {
        const std::lock_guard lock(mutex_);
        if (const auto at = being_made_.find(place); --at->second == 0) {
            being_made_.erase(at);
        }
    });
    const auto max = static_cast<std::size_t>(me.services.settings->identity_api_keys_max);
    const auto count = count_keys(*me.services.store, organization, owner, max);
    if (!count) {
        return count.error();
    }
    if (*count + others >= max) {
        const bool service = owner == "service";
        return problem{code::too_many_keys,
                       (service ? std::string("The services of this organization have ") : owner + " has ") +
                           std::to_string(*count) + " API keys, and this node allows " + std::to_string(max) +
                           " (identity.api_keys_max): revoke one that nobody needs, then repeat this."};
    }
    return held;
}

} // namespace troupe::actors
