#include "runtime/cluster/wiring.hpp"

#include <memory>
#include <utility>

namespace troupe::runtime::cluster {

void wiring::start(std::function<void(driver_input)> post) {
    post_ = std::move(post);
    links_.start(*this);
    coordinator_.start(*this);
}

void wiring::stop() {
    coordinator_.stop(); // first: others take what this node had the sooner
    links_.stop();
}

// ---- what the driver wants

void wiring::commit(std::uint64_t id, transaction what) {
    coordinator_.commit(std::move(what), [this, id](expected<transaction_result> result) {
        post_([id, result = std::move(result)](driver& d) { d.on_committed(id, result); });
    });
}

void wiring::set_peers(std::vector<peer_place> peers) { links_.set_peers(std::move(peers)); }

bool wiring::send(const storage::replication::replica_id& to, std::string frame) {
    return links_.send(to, lane::journal, std::make_shared<const std::string>(std::move(frame)));
}

// ---- what it is told

void wiring::on_map(std::vector<entry> all, std::uint64_t revision) {
    post_([all = std::move(all), revision](driver& d) { d.on_map(all, revision); });
}

void wiring::on_changes(std::vector<change> changes, std::uint64_t revision) {
    post_([changes = std::move(changes), revision](driver& d) { d.on_changes(changes, revision); });
}

void wiring::on_lease(lease now) {
    post_([now](driver& d) { d.on_lease(now); });
}

void wiring::on_reachable(bool reachable, const std::string& why) {
    post_([reachable, why](driver& d) { d.on_reachable(reachable, why); });
}

void wiring::on_up(const node_card& peer) {
    post_([id = peer.replica](driver& d) { d.on_peer_back(id); });
}

void wiring::on_down(const uuid&, const std::string&) {} // until it is up again, ticks send what is needed

void wiring::on_frame(const uuid& from, lane on, std::string_view bytes) {
    if (on != lane::journal) {
        return; // the driver sends nothing else
    }
    const auto size = bytes.size();
    if (waiting_bytes_.fetch_add(size) + size > waiting_bytes_max) {
        waiting_bytes_.fetch_sub(size);
        return;
    }
    post_([this, from, frame = std::string(bytes)](driver& d) {
        waiting_bytes_.fetch_sub(frame.size());
        d.on_frame(from, frame);
    });
}

} // namespace troupe::runtime::cluster
