#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <string>

namespace troupe::net {

/// A Beast body that takes memory as bytes come, not when a header announces them; what it holds may be taken out while
/// the rest is still to come.
struct growing_body {
    using value_type = std::string;

    class reader {
    public:
        template <bool is_request, class Fields>
        reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}

        void init(const boost::optional<std::uint64_t>&, boost::system::error_code& failed) { failed = {}; }
        void finish(boost::system::error_code& failed) { failed = {}; }

        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::system::error_code& failed) {
            failed = {};
            std::size_t taken = 0;
            for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers);
                 ++at) {
                const boost::asio::const_buffer buffer = *at;
                body_.append(static_cast<const char*>(buffer.data()), buffer.size());
                taken += buffer.size();
            }
            return taken;
        }

    private:
        value_type& body_;
    };
};

} // namespace troupe::net
