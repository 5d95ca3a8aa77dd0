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
    if (keys_) {
        keys_->on_reachable(false, "this node stops");
    }
    post_ = nullptr; // it holds the driver's actor
}

// ---- what the driver wants

void wiring::commit(std::uint64_t id, transaction what) {
    coordinator_.commit(std::move(what), [this, id](expected<transaction_result> result) {
        post_news([id, result = std::move(result)](driver& d) { d.on_committed(id, result); });
    });
}

void wiring::set_peers(std::vector<peer_place> peers) { links_.set_peers(std::move(peers)); }

bool wiring::send(const storage::replication::replica_id& to, std::string frame) {
    return links_.send(to, lane::journal, std::make_shared<const std::string>(std::move(frame)));
}

bool wiring::send_checkpoint(const uuid& to, std::string frame) {
    return links_.send(to, lane::bulk, std::make_shared<const std::string>(std::move(frame)));
}

void wiring::on_installed(std::uint32_t) {
    if (blobs_) {
        blobs_->look_again();
    }
}

// ---- what it is told

void wiring::post_news(driver_input input) {
    post_([this, input = std::move(input)](driver& d) {
        input(d);
        if (commands_) {
            commands_->note(d.core());
        }
        if (blobs_) {
            blobs_->note(d.core());
        }
        if (news_) {
            news_(d.core());
        }
    });
}

void wiring::on_map(std::vector<entry> all, std::uint64_t revision) {
    if (keys_) {
        keys_->on_map(all, revision); // first: a record that is sealed with a new key comes after it
    }
    if (placed_) {
        placed_->on_map(all, revision); // before the core: what that says of the lease knows of it
    }
    post_news([all = std::move(all), revision](driver& d) { d.on_map(all, revision); });
}

void wiring::on_changes(std::vector<change> changes, std::uint64_t revision) {
    if (keys_) {
        keys_->on_changes(changes, revision);
    }
    if (placed_) {
        placed_->on_changes(changes, revision);
    }
    post_news([changes = std::move(changes), revision](driver& d) { d.on_changes(changes, revision); });
}

void wiring::on_lease(lease now) {
    post_([now](driver& d) { d.on_lease(now); });
}

void wiring::on_reachable(bool reachable, const std::string& why) {
    if (keys_) {
        keys_->on_reachable(reachable, why);
    }
    post_([reachable, why](driver& d) { d.on_reachable(reachable, why); });
}

void wiring::on_up(const node_card& peer) {
    post_([id = peer.replica](driver& d) { d.on_peer_back(id); });
    if (commands_) {
        commands_->on_up(peer.replica);
    }
    if (blobs_) {
        blobs_->on_up(peer.replica);
    }
}

void wiring::on_down(const uuid& peer, const std::string&) {
    post_([peer](driver& d) { d.on_peer_gone(peer); });
    if (commands_) {
        commands_->on_down(peer);
    }
    if (blobs_) {
        blobs_->on_down(peer);
    }
}

void wiring::take_bulk(const uuid& from, std::string_view bytes) {
    if (blobs_ && bytes.starts_with(blob_channel)) {
        blobs_->on_frame(from, bytes.substr(1));
    }
}

void wiring::on_frame(const uuid& from, lane on, std::string_view bytes) {
    if (on == lane::commands && commands_) {
        commands_->on_frame(from, bytes);
    }
    const bool is_checkpoint = on == lane::bulk && bytes.starts_with(checkpoint_tag);
    if (on == lane::bulk && !is_checkpoint) {
        take_bulk(from, bytes);
    }
    if (on != lane::journal && !is_checkpoint) {
        return; // not the driver's
    }
    const auto size = bytes.size();
    if (waiting_bytes_.fetch_add(size) + size > waiting_bytes_max) {
        waiting_bytes_.fetch_sub(size);
        return;
    }
    post_([this, from, is_checkpoint, frame = std::string(bytes)](driver& d) {
        waiting_bytes_.fetch_sub(frame.size());
        is_checkpoint ? d.on_checkpoint_frame(from, frame) : d.on_frame(from, frame);
    });
}

} // namespace troupe::runtime::cluster
