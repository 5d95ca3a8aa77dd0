#pragma once

#include "storage/committer.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/storage/replicas.hpp"
#include "tests/temporary_directory.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::test {

/// Replicas of one shard in folders of their own, wired by hand: a frame waits until the test lets it through. All of
/// them vote, and one entity writes.
class wired_replicas {
public:
    struct replica final : storage::log_peers {
        bool send(const storage::replication::replica_id& to, std::string frame) override {
            sent.emplace_back(index_of(to), std::move(frame));
            return true;
        }
        temporary_directory directory;
        std::unique_ptr<storage::store> store;
        std::unique_ptr<storage::committer> committer;
        std::deque<std::pair<std::size_t, std::string>> sent;
    };

    explicit wired_replicas(std::size_t count, storage::log_options keep = {}) : replicas_(count), keep_(keep) {
        register_.epoch = 1;
        register_.leader = id_of(0);
        for (std::size_t i = 0; i < count; ++i) {
            register_.voters.push_back(id_of(i));
            replicas_[i] = std::make_unique<replica>();
            storage::identity who;
            who.replica = id_of(i);
            who.shards = 1;
            std::ofstream(replicas_[i]->directory.path / "identity.json") << to_json(who);
        }
        for (std::size_t i = 0; i < count; ++i) {
            start(i);
        }
    }

    replica& operator[](std::size_t i) { return *replicas_[i]; }
    storage::store& store(std::size_t i) { return *replicas_[i]->store; }

    /// Begins, or begins again after a kill.
    void start(std::size_t i) {
        auto& r = *replicas_[i];
        r.committer.reset();
        r.store.reset();
        auto opened = storage::store::open(options_for(r.directory.path, 1));
        require(opened.has_value(), "a store opens: " + (opened ? "" : opened.error().detail));
        r.store = std::move(*opened);
        auto logs = keep_;
        logs.peers = &r;
        auto joined = storage::committer::join(*r.store, 0, logs);
        require(joined.has_value(), "a committer joins: " + (joined ? "" : joined.error().detail));
        r.committer = std::move(*joined);
        r.committer->logs().on_register(0, register_);
    }

    /// Makes that one the owner, with the help of the others given; what all of them have is committed and applied
    /// then.
    void lead(std::size_t i, const std::set<std::size_t>& with) {
        version_ = 0;
        require(replicas_[i]->committer->logs().campaign(0).has_value(), "it may campaign");
        settle(with);
        require(replicas_[i]->committer->owns(0), "it leads");
    }

    /// Frames go between those until nothing is to be said; all others are lost.
    void settle(const std::set<std::size_t>& among) {
        for (int round = 0; round < 8; ++round) {
            for (const auto i : among) {
                replicas_[i]->committer->logs().on_register(0, register_);
                replicas_[i]->committer->tick(true);
            }
            for (bool quiet = false; !quiet;) {
                quiet = true;
                for (const auto i : among) {
                    write(i);
                    for (auto& [to, frame] : std::exchange(replicas_[i]->sent, {})) {
                        if (among.contains(to)) {
                            replicas_[to]->committer->logs().on_frame(id_of(i), frame);
                            quiet = false;
                        }
                    }
                }
            }
        }
    }

    /// The owner takes a command of one event, writes it, and lets only those have it, whose answers are lost. The
    /// event is named as the command.
    void append(std::size_t owner, const std::string& command, const std::set<std::size_t>& to) {
        auto& r = *replicas_[owner];
        if (version_ == 0) {
            const auto activated = r.committer->activate(entity);
            require(activated.has_value(), "the owner activates its entity");
            activation_ = activated->id;
            version_ = activated->version + 1;
        }
        storage::append one;
        one.entity = entity;
        one.activation = activation_;
        one.expected_version = version_ - 1;
        storage::record event;
        event.entity = entity;
        event.entity_seq = version_++;
        event.command_id = command;
        event.batch_size = 1;
        event.type = command;
        event.time = {1'700'000'000'000 + ++clock_};
        event.payload = "{}";
        one.records.push_back(std::move(event));
        one.derived.puts.emplace_back(storage::keys::entity(0, storage::keys::table::document, entity),
                                      command + filler);
        r.committer->submit(std::move(one), 1);
        r.sent.clear();
        write(owner);
        for (auto& [receiver, frame] : std::exchange(r.sent, {})) {
            if (to.contains(receiver)) {
                replicas_[receiver]->committer->logs().on_frame(id_of(owner), frame);
                write(receiver);
                replicas_[receiver]->sent.clear();
            }
        }
    }

    const entity_address entity{{{7}}, "counter", {{1}}};
    std::string filler; ///< Of the documents.
    /// Who hears of `records_committed` at each replica.
    std::function<void(std::size_t at)> on_applied = [](std::size_t) {};

private:
    void write(std::size_t i) {
        auto& r = *replicas_[i];
        const auto written = r.committer->write();
        require(written.has_value(), "a replica goes on: " + (written ? "" : written.error().detail));
        for (const auto& event : r.committer->take_events()) {
            if (const auto* wanted = std::get_if<storage::register_wanted>(&event)) {
                const bool won = register_.epoch == wanted->over;
                register_ = won ? wanted->next : register_;
                r.committer->logs().on_register(0, register_);
                r.committer->logs().on_register_written(0, wanted->next.epoch, won);
            } else if (std::holds_alternative<storage::records_committed>(event)) {
                on_applied(i);
            }
        }
        static_cast<void>(r.committer->take_settled());
    }

    std::vector<std::unique_ptr<replica>> replicas_;
    storage::log_options keep_;
    storage::replication::replica_set register_;
    std::uint64_t activation_ = 0;
    std::uint64_t version_ = 0; ///< Of the next event; 0: of a new owner.
    std::int64_t clock_ = 0;
};

} // namespace troupe::test
