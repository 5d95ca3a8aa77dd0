#include "actors/audit/refusals.hpp"

#include "actors/audit/refusal_model.hpp"
#include "schemas/base/log.hpp"

#include <chrono>

namespace troupe::actors {

namespace {

constexpr auto gathering = std::chrono::seconds(1);
constexpr std::size_t path_bytes_max = 200;

/// Who is nobody is in no organization: administrators of the node look there.
uuid home_of(const net::principal& caller) {
    return caller.organization.is_nil() ? system_organization : caller.organization;
}

std::string principal_of(const net::principal& caller) { return caller.name.empty() ? "nobody" : caller.name; }

} // namespace

refusals::refusals(const runtime::services& s)
    : services_(s), thread_([this](const std::stop_token& stop) { work(stop); }) {}

refusals::~refusals() {
    thread_.request_stop();
    thread_.join();
}

void refusals::note(const net::refused_request& r) {
    refusal out;
    out.organization = home_of(r.caller);
    out.principal = principal_of(r.caller);
    out.client = r.client;
    out.request_id = r.id;
    out.what.method = r.method;
    out.what.path = r.path.substr(0, path_bytes_max);
    if (r.to != nullptr) {
        out.what.operation = r.to->operation;
        out.what.permission = r.to->permission;
    }
    out.what.status = r.status;
    out.what.code = r.why ? std::string(explain(*r.why).name) : std::string();
    add(std::move(out));
}

void refusals::note_channel(const net::principal& caller, std::string_view channel, const problem& why) {
    refusal out;
    out.organization = home_of(caller);
    out.principal = principal_of(caller);
    out.client.organization = caller.organization;
    out.what.method = "SUBSCRIBE";
    out.what.path = channel.substr(0, path_bytes_max);
    out.what.status = explain(why.code).http_status;
    out.what.code = explain(why.code).name;
    add(std::move(out));
}

void refusals::add(refusal r) {
    const auto now = system_now();
    auto name = to_string(r.organization) + '\n' + r.principal + '\n' + r.client.address + '\n' + r.client.program +
                '\n' + r.what.method + '\n' + r.what.path + '\n' + r.what.code;
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kinds_max && !waiting_.contains(name)) {
        name = to_string(r.organization);
        r.principal = "several";
        r.client = {};
        r.request_id.clear();
        const auto status = r.what.status;
        r.what = {};
        r.what.path = "*";
        r.what.status = status;
        r.what.code = "several";
    }
    auto& found = waiting_.try_emplace(std::move(name), std::move(r)).first->second;
    found.what.count = found.what.first_at.ms == 0 ? 1 : found.what.count + 1;
    found.what.first_at = found.what.first_at.ms == 0 ? now : found.what.first_at;
    found.what.last_at = now;
    changed_.notify_one();
}

void refusals::work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return !waiting_.empty(); }) || !waiting_.empty()) {
        changed_.wait_for(lock, stop, gathering, [] { return false; });
        const auto batch = std::exchange(waiting_, {});
        lock.unlock();
        journal(batch);
        lock.lock();
    }
}

void refusals::journal(const std::map<std::string, refusal>& batch) {
    for (const auto& [name, r] : batch) {
        runtime::command c;
        c.to = refusals_address(r.organization, r.what.last_at);
        c.type = wire_name<note_refusal>::value;
        c.payload = to_json(r.what);
        c.principal = r.principal;
        c.correlation = r.request_id;
        c.client = r.client;
        services_.submit(std::move(c), [](const runtime::reply& noted) {
            if (!noted) {
                log_for("audit").error("a refused request is not in the audit log: {}", noted.error().detail);
            }
        });
    }
}

} // namespace troupe::actors
