// The verbs of tests/lib/suite.py with franz-go. tests/clients/setup builds it inside franz-go's own module.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

var balancers = map[string]kgo.GroupBalancer{
	"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return n
}

func open(options ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.MetadataMaxAge(2 * time.Second),
		kgo.MetadataMinAge(100 * time.Millisecond)}, options...)...)
	must(err)
	return cl
}

func null(text string) []byte {
	if text == "\\N" {
		return nil
	}
	return []byte(text)
}

func shown(raw []byte) string {
	if raw == nil {
		return "\\N"
	}
	return string(raw)
}

func produce(topic, partition, codec string) {
	options := []kgo.Opt{kgo.ProducerBatchCompression(codecs[codec]), kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(5 * time.Millisecond)}
	if number(partition) >= 0 {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	cl := open(options...)
	defer cl.Close()
	var failed error
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		words := strings.Split(lines.Text(), "\t")
		record := &kgo.Record{Topic: topic, Key: null(words[0]), Value: null(words[1])}
		if number(partition) >= 0 {
			record.Partition = int32(number(partition))
		}
		if words[2] != "\\N" {
			name, content, _ := strings.Cut(words[2], "=")
			record.Headers = []kgo.RecordHeader{{Key: name, Value: []byte(content)}}
		}
		cl.Produce(context.Background(), record, func(_ *kgo.Record, err error) { failed = errors.Join(failed, err) })
	}
	must(cl.Flush(context.Background()))
	must(failed)
}

// endOffset asks for the offset of a time; -1 is the end.
func endOffset(topic string, partition int32, at int64) int64 {
	cl := open()
	defer cl.Close()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp = partition, at
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(context.Background(), cl)
	must(err)
	must(kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
	return resp.Topics[0].Partitions[0].Offset
}

func consume(topic, partitionText, start, countText string) {
	partition, count := int32(number(partitionText)), number(countText)
	offset := kgo.NewOffset().AtStart()
	end := endOffset(topic, partition, -1)
	switch {
	case start == "end":
		offset = kgo.NewOffset().At(end)
	case strings.HasPrefix(start, "@"):
		offset = kgo.NewOffset().At(endOffset(topic, partition, number(start[1:])))
	case start != "beginning":
		offset = kgo.NewOffset().At(number(start))
	}
	cl := open(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: offset}}), kgo.FetchMaxWait(500*time.Millisecond))
	defer cl.Close()
	fmt.Println("ready")
	for read, at := int64(0), int64(0); read != count && (count >= 0 || at < end); {
		fetches := cl.PollFetches(context.Background())
		fetches.EachError(func(_ string, _ int32, err error) { must(err) })
		fetches.EachRecord(func(r *kgo.Record) {
			if read == count {
				return
			}
			headers := make([]string, 0, len(r.Headers))
			for _, h := range r.Headers {
				headers = append(headers, h.Key+"="+string(h.Value))
			}
			if len(headers) == 0 {
				headers = append(headers, "\\N")
			}
			fmt.Printf("%d\t%s\t%s\t%s\n", r.Offset, shown(r.Key), shown(r.Value), strings.Join(headers, ","))
			read, at = read+1, r.Offset+1
		})
	}
}

// pending holds records that were read and not committed; the rebalance callbacks run on another goroutine than the polls.
type pending struct {
	sync.Mutex
	records []*kgo.Record
}

func (p *pending) commit(cl *kgo.Client) {
	p.Lock()
	defer p.Unlock()
	if len(p.records) == 0 || cl.CommitRecords(context.Background(), p.records...) != nil {
		return // tried again after the next poll, or the partition goes to somebody else
	}
	for _, r := range p.records {
		fmt.Printf("%d\t%d\t%s\n", r.Partition, r.Offset, shown(r.Value))
	}
	p.records = nil
}

func (p *pending) drop(lost map[string][]int32) {
	p.Lock()
	defer p.Unlock()
	kept := p.records[:0]
	for _, r := range p.records {
		keep := true
		for _, partition := range lost[r.Topic] {
			keep = keep && partition != r.Partition
		}
		if keep {
			kept = append(kept, r)
		}
	}
	p.records = kept
}

func member(topic, group, assignor string) {
	var p pending
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cl := open(kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.Balancers(balancers[assignor]), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(func(_ context.Context, cl *kgo.Client, lost map[string][]int32) { p.commit(cl); p.drop(lost) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { p.drop(lost) }))
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		p.Lock()
		fetches.EachRecord(func(r *kgo.Record) { p.records = append(p.records, r) })
		p.Unlock()
		p.commit(cl)
		cl.AllowRebalance()
	}
	cl.CloseAllowingRebalance()
}

func expect(what string, code int16, wanted error) {
	if got := kerr.ErrorForCode(code); !errors.Is(got, wanted) {
		must(fmt.Errorf("%s: %v, wanted %v", what, got, wanted))
	}
}

func createTopic(cl *kgo.Client, topic string, wanted error) [16]byte {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, 2, 1
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(context.Background(), cl)
	must(err)
	expect("CreateTopics", resp.Topics[0].ErrorCode, wanted)
	return resp.Topics[0].TopicID
}

func deleteTopic(cl *kgo.Client, topic string, wanted error) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{topic}
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(context.Background(), cl)
	must(err)
	expect("DeleteTopics", resp.Topics[0].ErrorCode, wanted)
}

func createPartitions(cl *kgo.Client, topic string, count int32) {
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, count
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(context.Background(), cl)
	must(err)
	expect("CreatePartitions", resp.Topics[0].ErrorCode, nil)
	for tries := 0; ; tries++ {
		md := kmsg.NewPtrMetadataRequest()
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = kmsg.StringPtr(topic)
		md.Topics = append(md.Topics, mt)
		resp, err := md.RequestWith(context.Background(), cl)
		must(err)
		if len(resp.Topics[0].Partitions) == int(count) {
			return
		}
		if tries == 300 {
			must(fmt.Errorf("%s has %d partitions", topic, len(resp.Topics[0].Partitions)))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func alterConfig(cl *kgo.Client, topic, name, value string, wanted error) {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = name, &value
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(context.Background(), cl)
	must(err)
	expect("IncrementalAlterConfigs", resp.Resources[0].ErrorCode, wanted)
}

func commitOffset(cl *kgo.Client, topic string, id [16]byte, group string) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = 7
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(context.Background(), cl)
	must(err)
	expect("OffsetCommit", resp.Topics[0].Partitions[0].ErrorCode, nil)
}

func deleteGroup(cl *kgo.Client, group string, wanted error) {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(context.Background(), cl)
	must(err)
	expect("DeleteGroups", resp.Groups[0].ErrorCode, wanted)
}

func admin(topic, group string) {
	cl := open()
	defer cl.Close()
	id := createTopic(cl, topic, nil)
	createTopic(cl, topic, kerr.TopicAlreadyExists)
	createPartitions(cl, topic, 4)
	alterConfig(cl, topic, "retention.ms", "7200000", nil)
	alterConfig(cl, topic, "retention.ms", "soon", kerr.InvalidConfig)
	commitOffset(cl, topic, id, group)
	deleteGroup(cl, group, nil)
	deleteGroup(cl, group, kerr.GroupIDNotFound)
	deleteTopic(cl, topic, nil)
	deleteTopic(cl, topic, kerr.UnknownTopicOrPartition)
}

func main() {
	a := os.Args[1:]
	switch {
	case len(a) == 4 && a[0] == "produce":
		produce(a[1], a[2], a[3])
	case len(a) == 5 && a[0] == "consume":
		consume(a[1], a[2], a[3], a[4])
	case len(a) == 4 && a[0] == "member":
		member(a[1], a[2], a[3])
	case len(a) == 3 && a[0] == "admin":
		admin(a[1], a[2])
	default:
		must(errors.New("usage: client produce|consume|member|admin ..., see tests/lib/suite.py"))
	}
}
