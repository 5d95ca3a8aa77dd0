#include "runtime/cluster/checkpoint_exchange.hpp"

#include "storage/bytes.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

using storage::byte_reader;
using storage::put_fixed;
using storage::put_text;
using storage::put_varint;

enum class kind : std::uint8_t {
    begin = 1, ///< Sender: the head.
    piece,     ///< Its number, from 0, and rows.
    end,       ///< How many pieces and rows there were, and their hash.
    taken,     ///< Receiver: how many pieces it has.
    refused,   ///< Why; no more of it is wanted.
    installed,
};

std::string frame_of(kind k, std::uint64_t id) {
    std::string out(1, checkpoint_tag);
    put_fixed(out, k);
    put_varint(out, id);
    return out;
}

problem lost(std::string_view what) { return {code::unavailable, std::string(what)}; }

} // namespace

checkpoint_exchange::checkpoint_exchange(checkpoint_settings settings, std::uint64_t first, storage::shard_logs& logs,
                                         sender send)
    : settings_(settings), next_id_(first), logs_(logs), send_(std::move(send)) {}

std::vector<checkpoint_ended> checkpoint_exchange::take_ended() { return std::exchange(ended_, {}); }

// ---- sending

void checkpoint_exchange::wanted(std::uint32_t shard, const uuid& to) {
    const bool known = std::ranges::any_of(out_, [&](const outgoing& o) {
        const bool lags_again = o.now == state::held && o.ticks > settings_.rest_ticks; // not a message from before it
        return o.shard == shard && o.to == to && !lags_again;
    });
    const auto busy = std::ranges::count(out_, state::sending, &outgoing::now);
    if (known || static_cast<std::size_t>(busy) >= settings_.out_max) {
        return; // it asks again
    }
    auto source = logs_.take_checkpoint(shard);
    if (!source) {
        return; // likewise: nothing is applied here yet
    }
    std::erase_if(out_, [&](const outgoing& o) { return o.shard == shard && o.to == to; });
    auto& o = out_.emplace_back();
    o.shard = shard;
    o.to = to;
    o.id = next_id_++;
    o.from = source->head().at.seq;
    o.unsent = frame_of(kind::begin, o.id);
    put_head(o.unsent, source->head());
    o.source.emplace(std::move(*source));
    hold_entries(shard);
}

/// What follows the checkpoints that are under way stays.
void checkpoint_exchange::hold_entries(std::uint32_t shard) {
    auto from = std::numeric_limits<std::uint64_t>::max();
    for (const auto& o : out_) {
        if (o.shard == shard && o.now != state::resting) {
            from = std::min(from, o.from);
        }
    }
    logs_.keep_after(shard, from);
}

void checkpoint_exchange::rest(outgoing& o, problem why) {
    ended_.push_back({o.shard, o.to, false, std::move(why)});
    o.now = state::resting;
    o.ticks = 0;
    o.source.reset();
    o.unsent.clear();
    hold_entries(o.shard);
}

void checkpoint_exchange::hold(outgoing& o) {
    ended_.push_back({o.shard, o.to, false, {}});
    o.now = state::held;
    o.ticks = 0;
    o.source.reset();
    o.until = logs_.last_seq(o.shard);
}

bool checkpoint_exchange::say(outgoing& o, std::string frame) {
    if (send_(o.to, frame)) {
        return true;
    }
    o.unsent = std::move(frame);
    return false;
}

void checkpoint_exchange::send_some(outgoing& o) {
    if (!o.unsent.empty() && !say(o, std::exchange(o.unsent, {}))) {
        return;
    }
    while (!o.complete && o.sent < o.taken + settings_.pieces_max) {
        const auto piece = o.source->next(settings_.piece_bytes);
        if (!piece) {
            rest(o, piece.error());
            return;
        }
        o.complete = piece->empty();
        auto frame = frame_of(o.complete ? kind::end : kind::piece, o.id);
        if (o.complete) {
            put_varint(frame, o.sent);
            put_varint(frame, o.source->sum().rows);
            put_fixed(frame, o.source->sum().hash);
        } else {
            put_varint(frame, o.sent++);
            put_text(frame, *piece);
        }
        if (!say(o, std::move(frame))) {
            return;
        }
    }
}

checkpoint_exchange::outgoing* checkpoint_exchange::find_out(const uuid& to, std::uint64_t id) {
    const auto found = std::ranges::find_if(
        out_, [&](const outgoing& o) { return o.to == to && o.id == id && o.now == state::sending; });
    return found == out_.end() ? nullptr : &*found;
}

// ---- receiving

void checkpoint_exchange::refuse(const uuid& from, std::uint64_t id, const problem& why) {
    auto frame = frame_of(kind::refused, id);
    put_text(frame, why.detail);
    send_(from, std::move(frame)); // lost: it stands still there
}

void checkpoint_exchange::give_up(incoming& i, const problem& why) {
    refuse(i.from, i.id, why);
    ended_.push_back({i.staged.head().shard, i.from, true, why});
    in_.remove_if([&](const incoming& one) { return &one == &i; });
}

void checkpoint_exchange::begin(const uuid& from, std::uint64_t id, std::string_view bytes) {
    auto head = storage::read_head(bytes);
    if (!head) {
        refuse(from, id, head.error());
        return;
    }
    const auto is_same = [&](const incoming& i) { return i.staged.head().shard == head->shard; };
    if (std::ranges::any_of(in_, [&](const incoming& i) { return is_same(i) && i.from == from && i.id == id; })) {
        return; // it came twice
    }
    in_.remove_if([&](const incoming& i) { return is_same(i) && i.from == from && !i.complete; }); // it began anew
    if (std::ranges::any_of(in_, is_same) || in_.size() >= settings_.in_max) {
        refuse(from, id, lost("this node receives other shards just now"));
        return;
    }
    auto staged = logs_.receive_checkpoint(std::move(*head));
    if (!staged) {
        refuse(from, id, staged.error());
        return;
    }
    in_.push_back({from, id, std::move(*staged)});
}

void checkpoint_exchange::add(incoming& i, std::uint64_t number, std::string_view piece) {
    if (number < i.taken || i.complete) {
        return; // it came twice
    }
    if (number > i.taken) {
        give_up(i, lost("a piece was lost on its way"));
        return;
    }
    if (auto added = i.staged.add(piece); !added) {
        give_up(i, added.error());
        return;
    }
    ++i.taken;
    i.ticks = 0;
    auto frame = frame_of(kind::taken, i.id);
    put_varint(frame, i.taken);
    send_(i.from, std::move(frame)); // a later one says it, too
}

void checkpoint_exchange::finish(incoming& i, std::uint64_t pieces, const storage::checkpoint_sum& sum) {
    if (i.complete) {
        return;
    }
    if (auto done = pieces == i.taken ? i.staged.finish(sum) : lost("a piece was lost on its way"); !done) {
        give_up(i, done.error());
        return;
    }
    i.complete = true;
    i.ticks = 0;
}

void checkpoint_exchange::after_write() {
    if (!std::exchange(may_install_, false)) {
        return;
    }
    for (auto i = in_.begin(); i != in_.end();) {
        auto& one = *i++; // it may go
        const auto done = one.complete ? logs_.install(one.staged) : expected<bool>(false);
        if (!done) {
            give_up(one, done.error());
        } else if (*done) {
            send_(one.from, frame_of(kind::installed, one.id)); // lost: it sees how far this replica is
            ended_.push_back({one.staged.head().shard, one.from, true, {}});
            in_.remove_if([&](const incoming& other) { return &other == &one; });
        }
    }
}

// ---- frames and time

void checkpoint_exchange::on_frame(const uuid& from, std::string_view frame) {
    byte_reader in(frame);
    in.fixed<char>(); // the tag
    const auto what = in.fixed<kind>();
    const auto id = in.varint();
    auto* out = find_out(from, id);
    const auto receiver = std::ranges::find_if(in_, [&](const incoming& i) { return i.from == from && i.id == id; });
    if (what == kind::begin) {
        begin(from, id, in.rest());
    } else if ((what == kind::piece || what == kind::end) && receiver == in_.end()) {
        refuse(from, id, lost("its begin was lost on its way, or it was given up"));
    } else if (what == kind::piece) {
        const auto number = in.varint();
        add(*receiver, number, in.text());
    } else if (what == kind::end) {
        const auto pieces = in.varint();
        const auto rows = in.varint();
        finish(*receiver, pieces, {rows, in.fixed<std::uint64_t>()});
    } else if (out != nullptr && what == kind::taken) {
        out->taken = std::max(out->taken, std::min(in.varint(), out->sent));
        out->ticks = 0;
    } else if (out != nullptr && what == kind::installed) {
        hold(*out); // it says itself how far it is
    } else if (out != nullptr && what == kind::refused) {
        rest(*out, lost(in.text()));
    }
}

void checkpoint_exchange::on_peer_back(const uuid& peer) {
    for (auto& o : out_) {
        if (o.to == peer && o.now == state::sending) {
            rest(o, lost("the connection broke"));
        }
    }
    for (auto i = in_.begin(); i != in_.end();) {
        auto& one = *i++;
        if (one.from == peer && !one.complete) {
            give_up(one, lost("the connection broke"));
        }
    }
}

void checkpoint_exchange::tick() {
    may_install_ = true;
    for (auto& o : out_) {
        ++o.ticks;
        if (o.now == state::sending && o.ticks > settings_.patience_ticks) {
            rest(o, lost("it stood still"));
        } else if (o.now == state::sending) {
            send_some(o);
        }
    }
    std::vector<std::uint32_t> released;
    std::erase_if(out_, [&](const outgoing& o) {
        const bool caught_up = o.now == state::held && logs_.of(o.shard).core().durable_at(o.to).value_or(0) >= o.until;
        const bool rested = o.now == state::resting && o.ticks > settings_.rest_ticks;
        const bool over = caught_up || rested || (o.now == state::held && o.ticks > settings_.hold_ticks);
        if (over) {
            released.push_back(o.shard);
        }
        return over;
    });
    std::ranges::for_each(released, [this](std::uint32_t shard) { hold_entries(shard); });
    for (auto i = in_.begin(); i != in_.end();) {
        auto& one = *i++;
        if (++one.ticks > settings_.patience_ticks) {
            give_up(one, lost("it stood still"));
        }
    }
}

} // namespace troupe::runtime::cluster
