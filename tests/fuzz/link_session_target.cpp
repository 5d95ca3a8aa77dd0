// The protocol of a connection between nodes. First byte modulo 3: 0: what comes to a node that was dialled, 1: to a
// node that dialled, 2: two good nodes, with everything between them cut and delayed as the input says.
#include "runtime/cluster/link_session.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <array>
#include <deque>
#include <memory>
#include <string>

namespace troupe::fuzz {

namespace {

using namespace runtime::cluster;

constexpr std::size_t output_max = 200'000;

node_card card_of(std::uint8_t number) {
    node_card out;
    out.name = "n" + std::to_string(number);
    out.replica.bytes[15] = number;
    out.incarnation.bytes[15] = number;
    return out;
}

std::string frame(frame_type type, std::string_view payload) {
    const auto head = frame_head(type, payload);
    return std::string(head.data(), head.size()).append(payload);
}

std::string take(frame_outbox& from, std::size_t bytes_max) {
    std::array<std::string_view, 16> pieces;
    std::string out;
    for (std::size_t i = 0, count = from.gather(pieces); i < count && out.size() < bytes_max; ++i)
        out += pieces[i].substr(0, bytes_max - out.size());
    from.written(out.size());
    return out;
}

link_hello hello() { return {card_of(1), lane::journal, card_of(2).replica}; }

link_receiver receiver(std::uint64_t window) {
    return {link_timings{}, link_windows{.journal_bytes = window, .bulk_bytes = window}, card_of(2),
            [](const link_hello& h) -> expected<void> {
                claim(h.card.name != "n2" && is_node_name(h.card.name), "only a fitting card is judged");
                return {};
            },
            0};
}

link_sender sender() {
    return {link_timings{}, link_windows{}, hello(),
            [](const node_card& c) -> expected<void> {
                claim(c.replica == card_of(2).replica, "only the expected node is judged");
                return {};
            },
            0};
}

/// Frames with good checksums, or raw bytes, and time in between.
template <class Take, class Time>
void play(cutter& in, Take bytes, Time time) {
    std::int64_t now_us = 0;
    while (!in.at_end()) {
        switch (const auto what = in.byte(); what % 12) {
        case 10:
            bytes(in.text());
            break;
        case 11:
            now_us += in.number<std::uint16_t>() * 100;
            time(now_us);
            break;
        default:
            bytes(frame(static_cast<frame_type>(what % 12), in.text()));
        }
    }
}

void to_receiver(cutter& in) {
    auto r = receiver(2000);
    std::uint64_t taken = 0;
    const auto bytes = [&](const std::string& text) {
        const bool was_closed = r.is_closed();
        r.on_bytes(text, [&](std::string_view f) {
            claim(!was_closed && r.hello().has_value(), "a frame comes over an open connection");
            taken += f.size() + frame_cost;
        });
        claim(!r.is_closed() || !r.why().detail.empty(), "an end has a reason");
        claim(r.out().bytes() < output_max, "what it answers is bounded");
    };
    const auto begin = in.byte();
    if (begin % 4 > 0)
        bytes(std::string(link_magic));
    if (begin % 4 > 1)
        bytes(frame(frame_type::hello, to_json(hello())));
    if (begin % 4 > 1)
        claim(r.is_open(), "a good hello is welcomed");
    play(in, bytes, [&](std::int64_t now_us) { r.on_time(now_us); });
    claim(taken <= r.received(), "what is taken is counted");
}

void to_sender(cutter& in) {
    auto s = sender();
    const auto payload = std::make_shared<const std::string>(100, 'x');
    const auto bytes = [&](const std::string& text) {
        s.on_bytes(text, 0);
        claim(!s.is_closed() || !s.why().detail.empty(), "an end has a reason");
        s.send(payload);
        claim(!s.is_open() || s.under_way() <= s.window(), "no more is under way than the window");
        claim(s.out().bytes() < output_max, "what it says is bounded");
        take(s.out(), in.byte());
    };
    if (in.byte() % 2 == 0)
        bytes(frame(frame_type::welcome, to_json(link_welcome{card_of(2), 1000})));
    play(in, bytes, [&](std::int64_t now_us) { s.on_time(now_us); });
}

void between(cutter& in) {
    auto s = sender();
    auto r = receiver(window_bytes_min / 1000);
    std::string forth;
    std::string back;
    std::deque<std::string> sent;
    std::int64_t now_us = 0;
    const auto deliver = [&](std::size_t bytes) {
        const auto part = forth.substr(0, bytes);
        forth.erase(0, part.size());
        r.on_bytes(part, [&](std::string_view f) {
            claim(!sent.empty() && sent.front() == f, "what comes was sent, in this order");
            sent.pop_front();
        });
    };
    const auto answer = [&](std::size_t bytes) {
        const auto part = back.substr(0, bytes);
        back.erase(0, part.size());
        s.on_bytes(part, now_us);
    };
    while (!in.at_end()) {
        const auto amount = static_cast<std::size_t>(in.byte());
        switch (in.byte() % 6) {
        case 0: {
            auto text = std::make_shared<const std::string>(amount * 10, static_cast<char>(amount));
            if (s.send(text))
                sent.push_back(*text);
            break;
        }
        case 1:
            forth += take(s.out(), amount * 4);
            break;
        case 2:
            deliver(amount * 4);
            break;
        case 3:
            back += take(r.out(), amount);
            break;
        case 4:
            answer(amount);
            break;
        default:
            now_us += static_cast<std::int64_t>(amount) * 1000; // too little for silence
            s.on_time(now_us);
            r.on_time(now_us);
            forth += take(s.out(), output_max);
            deliver(output_max);
            back += take(r.out(), output_max);
            answer(output_max);
        }
        claim(!s.is_closed() && !r.is_closed(), "two good nodes stay connected");
        claim(s.under_way() <= s.window(), "no more is under way than the window");
    }
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 3) {
    case 0:
        return to_receiver(in);
    case 1:
        return to_sender(in);
    default:
        return between(in);
    }
}

} // namespace troupe::fuzz
