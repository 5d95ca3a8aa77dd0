#include "runtime/cluster/blob_exchange.hpp"

#include "schemas/base/log.hpp"
#include "storage/blob_copies.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <iterator>
#include <memory>

namespace troupe::runtime::cluster {

namespace {

/// Pieces that wait for the way to a peer; what is beyond is asked for again.
constexpr std::size_t ungiven_max = 256;

problem stops() { return {code::unavailable, "the node stops; ask another one", {}, 1}; }

} // namespace

spread_ports blob_exchange::make_spread_ports() {
    spread_ports out;
    out.members = [this]() -> const blob_members& { return members_; };
    out.offer = [this](const uuid& to, const storage::blob_id& id) {
        const auto head = storage::head_of_blob(*ports_.store, id);
        if (head && *head) {
            static_cast<void>(say(to, blob_offer{id, **head})); // else it is offered again
        }
    };
    return out;
}

pull_ports blob_exchange::make_pull_ports() {
    pull_ports out;
    out.store = ports_.store;
    out.members = [this]() -> const blob_members& { return members_; };
    out.send = [this](const uuid& to, const blob_frame& what) { return say(to, what); };
    out.confirm = [this](const uuid& to, const storage::blob_id& id) {
        unconfirmed_.emplace_back(to, id);
        if (unconfirmed_.size() == 1) { // one sync for all that came until then
            post([this] { confirm(); });
        }
    };
    out.absent = [this](const storage::blob_id& id) { note_absence(id, true); };
    return out;
}

blob_exchange::blob_exchange(links& links, blob_ports ports)
    : links_(links), ports_(std::move(ports)), spreads_(make_spread_ports()), pulls_(make_pull_ports()) {}

blob_exchange::~blob_exchange() { stop(); }

void blob_exchange::start() {
    if (!ports_.post) {
        worker_.start([this] { tick(); }, tick_ms);
    }
}

void blob_exchange::stop() {
    worker_.stop();
    spreads_.clear(); // whoever waits there is told by that
    pulls_.clear();
}

void blob_exchange::post(std::function<void()> job) {
    ports_.post ? ports_.post(std::move(job)) : worker_.post(std::move(job));
}

// ---- from whoever puts and reads

/// A job that is dropped takes its promise along, which ends the wait.
expected<void> blob_exchange::wait_for(std::function<void(done)> begin) {
    auto promise = std::make_shared<std::promise<expected<void>>>();
    auto result = promise->get_future();
    done then = [promise = std::move(promise)](expected<void> what) { promise->set_value(std::move(what)); };
    post([begin = std::move(begin), then = std::move(then)]() mutable { begin(std::move(then)); });
    then = nullptr;
    if (ports_.wait) {
        ports_.wait([&] { return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    }
    try {
        return result.get();
    } catch (const std::future_error&) {
        return stops();
    }
}

expected<void> blob_exchange::spread(const storage::blob_id& id) {
    if (auto durable = ports_.store->flush(); !durable) {
        return durable;
    }
    return wait_for([this, id](done then) {
        note_absence(id, false);
        spreads_.begin(id, std::move(then), ports_.monotonic());
    });
}

void blob_exchange::offer(const storage::blob_id& id) {
    post([this, id] { spreads_.begin(id, nullptr, ports_.monotonic()); });
}

expected<void> blob_exchange::fetch(const storage::blob_id& id) {
    return wait_for([this, id](done then) { pulls_.fetch(id, std::move(then), ports_.monotonic()); });
}

problem blob_exchange::begin_fetch(const storage::blob_id& id) {
    const auto name = to_hex(storage::as_bytes(id.hash));
    if (is_absent(id)) {
        return {code::not_found, "no node has blob " + name};
    }
    post([this, id] { pulls_.fetch(id, nullptr, ports_.monotonic()); });
    return {code::unavailable,
            "blob " + name + " is not on this node yet: it is asked for at the others; try again in a moment",
            {},
            1};
}

bool blob_exchange::is_absent(const storage::blob_id& id) {
    const std::lock_guard lock(absent_mutex_);
    const auto found = absent_.find(id);
    return found != absent_.end() && ports_.monotonic() - found->second < absent_ms;
}

void blob_exchange::note_absence(const storage::blob_id& id, bool absent) {
    const std::lock_guard lock(absent_mutex_);
    absent ? void(absent_[id] = ports_.monotonic()) : void(absent_.erase(id));
    if (absent_.size() > absent_max) {
        absent_.clear(); // they are asked for again
    }
}

// ---- members

void blob_exchange::note(const cluster_core& core) {
    std::set<uuid> others;
    for (const auto& node : core.nodes()) {
        others.insert(node.replica);
    }
    others.erase(ports_.self);
    if (!core.nodes().empty()) {
        set_members(std::move(others));
    }
    std::size_t votes = 0; // who votes has had all that was committed before, as a checkpoint or by entries
    for (std::uint32_t shard = 0; shard < core.shards(); ++shard) {
        votes += static_cast<std::size_t>(std::ranges::count(core.shard(shard).voters, ports_.self));
    }
    if (std::exchange(votes_, votes) < votes) {
        look_again();
    }
}

void blob_exchange::set_members(std::set<uuid> others) {
    if (noted_ == others) {
        return;
    }
    noted_ = others;
    post([this, others = std::move(others)] {
        known_ = others;
        members_.count = others.size() + 1;
        count_up();
    });
}

void blob_exchange::count_up() {
    members_.up.clear();
    std::ranges::set_intersection(known_, connected_, std::inserter(members_.up, members_.up.end()));
    const auto now = ports_.monotonic();
    spreads_.go_on(now);
    pulls_.go_on(now);
}

void blob_exchange::on_up(const uuid& peer) {
    post([this, peer] {
        connected_.insert(peer);
        count_up();
        spreads_.on_up(peer);
        sweep_ms_ = std::min(sweep_ms_, ports_.monotonic() + sweep_soon_ms);
    });
}

void blob_exchange::on_down(const uuid& peer) {
    post([this, peer] {
        connected_.erase(peer);
        std::erase_if(ungiven_, [&](const wanted& w) { return w.first == peer; });
        std::erase_if(unconfirmed_, [&](const auto& one) { return one.first == peer; });
        count_up();
        pulls_.on_down(peer, ports_.monotonic());
    });
}

// ---- frames

bool blob_exchange::say(const uuid& to, const blob_frame& what) {
    return links_.send(to, lane::bulk, std::make_shared<const std::string>(encode(what)));
}

void blob_exchange::on_frame(const uuid& from, std::string_view bytes) {
    const auto size = bytes.size();
    if (waiting_bytes_.fetch_add(size) + size > waiting_bytes_max) {
        waiting_bytes_.fetch_sub(size);
        return;
    }
    post([this, from, frame = std::string(bytes)] {
        waiting_bytes_.fetch_sub(frame.size());
        auto what = decode_blob_frame(frame);
        if (what) {
            take(from, std::move(*what));
        } else {
            log_for("cluster").error("replica {} sent {}", to_string(from), what.error().detail);
        }
    });
}

void blob_exchange::take(const uuid& from, blob_frame what) {
    const auto now = ports_.monotonic();
    if (const auto* offered = std::get_if<blob_offer>(&what)) {
        note_absence(offered->id, false);
        pulls_.on_offer(from, *offered, now);
    } else if (const auto* stored = std::get_if<blob_stored>(&what)) {
        spreads_.on_stored(from, stored->id, now);
    } else if (auto* refused = std::get_if<blob_refused>(&what)) {
        spreads_.on_refused(from, refused->id, std::move(refused->why));
    } else if (const auto* ask = std::get_if<blob_ask>(&what)) {
        answer(from, *ask);
    } else if (const auto* none = std::get_if<blob_none>(&what)) {
        pulls_.on_none(from, none->id, now);
    } else if (const auto* want = std::get_if<blob_want>(&what)) {
        spreads_.on_want(want->id, now);
        give({from, {want->id, want->piece}});
    } else if (const auto* piece = std::get_if<blob_piece>(&what)) {
        pulls_.on_piece(from, *piece, now);
    }
}

/// Who cannot read what it has says nothing: it does not know.
void blob_exchange::answer(const uuid& from, const blob_ask& what) {
    const auto head = storage::head_of_blob(*ports_.store, what.id);
    if (!head) {
        log_for("cluster").error("{}", head.error().detail);
    } else if (*head) {
        static_cast<void>(say(from, blob_offer{what.id, **head})); // else it is asked again
    } else {
        static_cast<void>(say(from, blob_none{what.id}));
    }
}

void blob_exchange::give(const wanted& what) {
    const auto& [to, which] = what;
    const auto& [id, number] = which;
    const auto head = storage::head_of_blob(*ports_.store, id);
    auto bytes = head ? expected<std::string>(std::string()) : head.error();
    if (head && *head) {
        bytes = storage::kept_piece(*ports_.store, id, number);
    }
    if (!bytes) {
        log_for("cluster").error("{}", bytes.error().detail);
    }
    if (!bytes || !*head) {
        static_cast<void>(say(to, blob_none{id})); // whoever asked takes it from another one
    } else if (!say(to, blob_piece{id, number, std::move(*bytes)}) && ungiven_.size() < ungiven_max) {
        ungiven_.insert(what);
    }
}

void blob_exchange::confirm() {
    const auto all = std::exchange(unconfirmed_, {});
    const auto durable = ports_.store->flush();
    for (const auto& [to, id] : all) { // what is lost is offered again
        static_cast<void>(durable ? say(to, blob_stored{id}) : say(to, blob_refused{id, durable.error().detail}));
    }
}

// ---- time

void blob_exchange::tick() {
    const auto now = ports_.monotonic();
    for (const auto& what : std::exchange(ungiven_, {})) {
        give(what);
    }
    spreads_.go_on(now);
    pulls_.go_on(now);
    sweep();
}

/// What came into the tables while this node was away from who has the contents.
void blob_exchange::sweep() {
    for (std::size_t i = 0; i < sweep_shards; ++i) {
        const bool waits_for_others = members_.up.empty() && members_.count != 1;
        if (ports_.monotonic() < sweep_ms_ || waits_for_others || pulls_.outstanding() > 0) {
            return;
        }
        look_at_next();
    }
}

void blob_exchange::look_at_next() {
    if (sweep_shard_ == 0 && sweep_from_.empty()) {
        round_of_ = looks_wanted_;
    }
    auto look = storage::find_missing_blobs(*ports_.store, sweep_shard_, sweep_from_, sweep_looked);
    if (!look) {
        log_for("cluster").error("{}", look.error().detail);
        look = storage::blob_look{};
        round_of_ = 0; // nobody knows what is missing there
    }
    missing_ += look->missing.size();
    for (const auto& id : look->missing) {
        pulls_.fetch(id, nullptr, ports_.monotonic());
    }
    sweep_from_ = std::move(look->next);
    if (sweep_from_.empty() && ++sweep_shard_ >= ports_.store->who().shards) {
        end_round();
    }
}

void blob_exchange::end_round() {
    sweep_shard_ = 0;
    const bool more = std::exchange(looks_again_, false);
    const auto found = std::exchange(missing_, 0);
    const auto before = std::exchange(missing_before_, found);
    const bool same = found > 0 && found == before; // they may be nowhere
    sweep_ms_ = ports_.monotonic() + (same ? sweep_again_ms : more || found > 0 ? sweep_soon_ms : sweep_every_ms);
    if (found == 0) {
        looks_done_ = round_of_;
    } else {
        looks_wanted_ += round_of_ == looks_wanted_ ? 1 : 0;
        tells_ = true;
        log_for("cluster").info("{} contents that the tables name were not here; they are fetched", found);
    }
    if (found == 0 && !more && std::exchange(tells_, false)) {
        log_for("cluster").info("all contents that the tables name are here");
    }
}

void blob_exchange::look_again() {
    ++looks_wanted_;
    post([this] {
        looks_again_ = looks_again_ || sweep_shard_ > 0 || !sweep_from_.empty();
        tells_ = true;
        sweep_ms_ = std::min(sweep_ms_, ports_.monotonic() + sweep_soon_ms);
    });
}

} // namespace troupe::runtime::cluster
